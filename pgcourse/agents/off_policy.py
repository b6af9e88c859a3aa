"""Agents that learn from stored transitions: one update as a list of learners and followers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from pgcourse import checks
from pgcourse.agents.agent import Agent
from pgcourse.parts.buffer import Batch, ReplayBuffer
from pgcourse.parts.equations import soft_update
from pgcourse.parts.noise import OUNoise
from pgcourse.parts.seeding import seeded_weights
from pgcourse.runs.compiled import CompiledUpdate

Objective = Callable[[Batch], tuple[Tensor, dict[str, Tensor]]]


@dataclass
class Learner:
    """A network, its optimiser, and the loss that the optimiser goes down."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective  # batch -> (loss, numbers to record); it draws nothing
    every: int = 1  # it learns in each update whose number this divides


@dataclass
class Follower:
    """A slow copy, and the network that it follows."""

    slow: nn.Module
    network: nn.Module
    every: int = 1


class OffPolicyAgent(Agent):
    """An agent with a replay buffer, noise, and an update that two lists describe.

    A subclass has `build`, which makes its networks and fills `learners` and `followers`.

    Args:
        env: as for `Agent`.
        memory_size: transitions in the replay buffer.
        batch_size: transitions per update.
        ou_noise_theta, ou_noise_sigma: the exploration noise, 03 Eq. 5.
        gamma: discount per step, in [0, 1].
        tau: speed of the slow copies, 03 Eq. 9, in [0, 1].
        actor_lr, critic_lr: learning rates.
        hidden: units of each hidden layer, in every network.
        amsgrad: AMSGrad lets Adam's steps shrink when gradients do; False is plain Adam.
        updates_per_step: updates after each step of the environment.
        options: `initial_random_steps`, `seed` and `device`, as for `Agent`.

    Raises:
        TypeError, ValueError: an argument or a space of the environment cannot work.
    """

    actor: nn.Module

    def __init__(
        self,
        env: gym.Env | str | Callable[..., gym.Env],
        memory_size: int = 100_000,
        batch_size: int = 128,
        ou_noise_theta: float = 1.0,
        ou_noise_sigma: float = 0.1,
        *,
        gamma: float = 0.99,
        tau: float = 5e-3,
        actor_lr: float = 3e-4,
        critic_lr: float = 1e-3,
        hidden: Sequence[int] = (128, 128),
        amsgrad: bool = True,
        updates_per_step: int = 1,
        **options: Any,
    ):
        super().__init__(env, **options)
        self.gamma = checks.real("gamma", gamma, 0.0, 1.0)
        self.tau = checks.real("tau", tau, 0.0, 1.0)
        self.actor_lr = checks.real("actor_lr", actor_lr, 0.0)
        self.critic_lr = checks.real("critic_lr", critic_lr, 0.0)
        self.hidden = checks.sizes("hidden", hidden)
        self.amsgrad = checks.flag("amsgrad", amsgrad)
        self.updates_per_step = checks.integer("updates_per_step", updates_per_step)
        self.batch_size = checks.integer("batch_size", batch_size)
        self.noise = OUNoise(
            self.act_dim, theta=ou_noise_theta, sigma=ou_noise_sigma,
            seed=self.stream_seed("noise"),
        )  # fmt: skip
        self.memory = self.make_memory(memory_size, batch_size, self.stream_seed("memory"))
        self.learners: dict[str, Learner] = {}
        self.followers: dict[str, Follower] = {}
        with seeded_weights(self.stream_seed("weights")):
            self.build()
        for network in vars(self).values():
            if isinstance(network, nn.Module):
                network.to(self.device)

    @property
    def in_dim(self) -> int:
        """Numbers that the networks see of an obs."""
        return self.obs_dim

    def build(self) -> None:
        """Make the networks, and say what one update does with them."""
        raise NotImplementedError

    def make_memory(self, size: int, batch_size: int, seed: int) -> ReplayBuffer:
        """Return an empty buffer."""
        return ReplayBuffer(self.obs_dim, self.act_dim, size, batch_size, seed)

    def make_optimizer(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        """Return Adam for a network."""
        return torch.optim.Adam(network.parameters(), lr=lr, amsgrad=self.amsgrad, fused=True)

    def learner(self, network: nn.Module, lr: float, objective: Objective, every=1) -> Learner:
        """Return a learner with an optimiser of its own."""
        optimizer = self.make_optimizer(network.to(self.device), lr)
        start_adam(optimizer)
        return Learner(network, optimizer, objective, every)

    @torch.inference_mode()
    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the actor's own action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        rows = torch.from_numpy(np.asarray(obs, dtype=np.float32)).to(self.device)
        return self.actor(rows).cpu().numpy()

    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return the actor's action plus noise, clipped, (act_dim,)."""
        action = self.policy(obs) + self.noise.sample()
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def reset(self) -> np.ndarray:
        """Start an episode, with noise that has forgotten the last one."""
        self.noise.reset()
        return super().reset()

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Store a transition that starts in the current obs."""
        self.memory.store(self.obs, action, reward, next_obs, terminated)

    def learn(self) -> None:
        """Make the updates of one step, from the first full batch on."""
        for _ in range(self.updates_per_step * (len(self.memory) >= self.batch_size)):
            self.history.add_update(self.total_steps, self.update_model())

    def sample(self) -> Batch:
        """Draw a batch from the replay buffer, as tensors on the agent's device."""
        return self.to_tensors(self.memory.sample_batch())

    def to_tensors(self, batch: Batch) -> Batch:
        """Return the arrays of a batch as tensors, without a copy on the CPU."""
        return type(batch)(*(torch.from_numpy(column).to(self.device) for column in batch))

    def update_model(self) -> dict[str, float]:
        """Draw a batch and make one update with it."""
        self.updates += 1
        return self.update(self.sample())

    def update(self, batch: Batch) -> dict[str, float]:
        """Let each learner go down its loss, then each follower follow, in its turn."""
        record = {}
        for each in self.learners.values():
            if self.updates % each.every == 0:
                loss, numbers = each.objective(batch)
                record |= self.history.read(self.total_steps, numbers)
                descend(each, loss)
        for each in self.followers.values():
            if self.updates % each.every == 0:
                soft_update(each.slow, each.network, self.tau)
        return record

    def compile(self) -> None:
        """Run each further update as one compiled graph.

        The first update takes seconds. Where no compiler is, it says so once and goes on eager.
        """
        self.update = CompiledUpdate(self)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state at the end of an episode, with what the optimisers know."""
        return super().state_dict() | {"moments": moments(self.learners)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; learning rates stay this agent's own."""
        super().load_state_dict(state)
        restore_moments(self.learners, state["moments"])


def descend(learner: Learner, loss: Tensor) -> None:
    """One step of one network down a loss; no other network gets a gradient.

    Args:
        learner: its weights change.
        loss: (), a function of them.
    """
    weights = learner.optimizer.param_groups[0]["params"]
    grads = torch.autograd.grad(loss, weights)
    for weight, grad in zip(weights, grads, strict=True):
        weight.grad = grad
    learner.optimizer.step()


def moments_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]]:
    """Return what an optimiser keeps of each weight."""
    return [optimizer.state[weight] for weight in optimizer.param_groups[0]["params"]]


def moments(learners: dict[str, Learner]) -> dict[str, Any]:
    """Return what all optimisers keep, as a tree of tensors."""
    return {
        name: {str(k): state for k, state in enumerate(moments_of(each.optimizer))}
        for name, each in learners.items()
    }


def restore_moments(learners: dict[str, Learner], state: dict[str, Any]) -> None:
    """Give the optimisers what `moments` returned."""
    for name, each in learners.items():
        for k, own in enumerate(moments_of(each.optimizer)):
            for key, number in own.items():
                number.copy_(state[name][str(k)][key])


def start_adam(optimizer: torch.optim.Optimizer) -> None:
    """Make Adam's moments before its first step, so that they can be saved and loaded."""
    (group,) = optimizer.param_groups
    names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group.get("amsgrad", False)
    for weight in group["params"] if isinstance(optimizer, torch.optim.Adam) else []:
        zeros = {name: torch.zeros_like(weight) for name in names}
        optimizer.state[weight] = {"step": torch.zeros((), device=weight.device)} | zeros
