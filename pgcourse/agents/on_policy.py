"""Agents that learn from what their policy of the moment did, and then forget it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from pgcourse import checks
from pgcourse.agents.agent import Agent
from pgcourse.agents.off_policy import Learner, moments, restore_moments, start_adam
from pgcourse.parts.gaussian import GaussianPolicy
from pgcourse.parts.networks import Value
from pgcourse.parts.returns import gae, gaussian_log_density, normalized, policy_gradient_loss
from pgcourse.parts.rollout import Lesson, Rollout, Steps
from pgcourse.parts.seeding import seeded_weights
from pgcourse.tasks.envs import make_env
from pgcourse.tasks.team import Team


class OnPolicyAgent(Agent):
    """An agent with several environments, whose rollouts are learned from once and dropped.

    Its state holds the rollout and the episodes under way, so it can be saved after any step. A
    subclass has `update`; `train` counts the steps of all environments
    and stops after the first step of all that reaches `num_frames`.

    Args:
        env: an id, or a function that makes an environment: see `make_env`.
        envs: environments side by side, n.
        steps: steps of each environment in a rollout; None is one whole episode of each.
        gamma: discount per step, in [0, 1].
        lam: λ of the advantages, in [0, 1].
        actor_lr, critic_lr: learning rates.
        decay_steps: both fall linearly, to 0 at this step of training; None leaves them.
        reward_scale: rewards are learned from times this; scores are as they come.
        normalize: advantages of a rollout get mean 0 and deviation 1.
        log_std: where the logarithm of the policy's deviation starts.
        max_grad_norm: all gradients of a step together are cut to this norm; None leaves them.
        hidden: units of each hidden layer, in both networks.
        seed, device: as for `Agent`.

    Raises:
        TypeError, ValueError: an argument or a space of the environment cannot work.
    """

    def __init__(
        self,
        env: str | Callable[..., gym.Env],
        envs: int = 8,
        steps: int | None = None,
        *,
        gamma: float = 0.99,
        lam: float = 0.95,
        actor_lr: float = 1e-2,
        critic_lr: float = 1e-2,
        decay_steps: int | None = None,
        reward_scale: float = 1.0,
        normalize: bool = False,
        log_std: float = -0.5,
        max_grad_norm: float | None = None,
        hidden: Sequence[int] = (64, 64),
        seed: int = 777,
        device: str | None = None,
    ):
        n = checks.integer("envs", envs)
        if isinstance(env, gym.Env):
            raise TypeError(f"env: got {env!r}; expected an id or a function, to make {n} of them")
        super().__init__(env, initial_random_steps=0, seed=seed, device=device)
        self.steps = steps if steps is None else checks.integer("steps", steps)
        self.gamma = checks.real("gamma", gamma, 0.0, 1.0)
        self.lam = checks.real("lam", lam, 0.0, 1.0)
        self.actor_lr = checks.real("actor_lr", actor_lr, 0.0)
        self.critic_lr = checks.real("critic_lr", critic_lr, 0.0)
        self.decay_steps = decay_steps
        if decay_steps is not None:
            self.decay_steps = checks.integer("decay_steps", decay_steps)
        self.reward_scale = checks.real("reward_scale", reward_scale)
        self.normalize = checks.flag("normalize", normalize)
        self.max_grad_norm = max_grad_norm
        if max_grad_norm is not None:
            self.max_grad_norm = checks.real("max_grad_norm", max_grad_norm, 0.0)
        self.hidden = checks.sizes("hidden", hidden)
        others = [make_env(env) for _ in range(n - 1)]
        if len({id(each.unwrapped) for each in (self.env, *others)}) < n:
            raise ValueError(f"env: got {env!r}, which made one environment twice; expected {n}")
        self.team = Team([self.env, *others])
        self.rollout = Rollout(n, self.obs_dim, self.act_dim)
        with seeded_weights(self.stream_seed("weights")):
            self.actor = GaussianPolicy(self.obs_dim, self.act_dim, log_std, hidden=self.hidden)
            self.critic = Value(self.obs_dim, hidden=self.hidden)
        self.learners = {
            "actor": self.learner(self.actor, self.actor_lr, self.actor_objective),
            "critic": self.learner(self.critic, self.critic_lr, self.critic_objective),
        }
        self.followers: dict = {}  # nothing is a slow copy

    def learner(self, network: nn.Module, lr: float, objective: Callable) -> Learner:
        """Return a learner with an Adam of its own."""
        optimizer = torch.optim.Adam(network.to(self.device).parameters(), lr=lr, fused=True)
        start_adam(optimizer)
        return Learner(network, optimizer, objective)

    def actor_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss whose gradient is minus the policy's, and it to record."""
        log_density = self.log_density(lesson.obs, lesson.action)
        loss = policy_gradient_loss(log_density, lesson.advantage)
        return loss, {"actor_loss": loss}

    def critic_objective(self, lesson: Lesson) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean squared distance of values from their targets, and it to record."""
        loss = ((self.critic(lesson.obs) - lesson.target) ** 2).mean()
        return loss, {"critic_loss": loss}

    def update(self, lesson: Lesson) -> Iterator[dict[str, float]]:
        """Make all steps of learning from one rollout; yield the numbers of each."""
        raise NotImplementedError

    def log_density(self, obs: Tensor, action: Tensor) -> Tensor:
        """Return log π(action|obs), (B,)."""
        return gaussian_log_density(action, self.actor(obs), self.actor.log_std)

    @torch.inference_mode()
    def mean(self, obs: np.ndarray) -> np.ndarray:
        """Return the mean of the policy, (..., act_dim), which may lie outside of [-1, 1]."""
        rows = torch.from_numpy(np.asarray(obs, dtype=np.float32)).to(self.device)
        return self.actor(rows).cpu().numpy()

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the action without a draw: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        return np.clip(self.mean(obs), -1.0, 1.0)

    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return a drawn action for each environment, (n, act_dim), which no bound holds."""
        noise = self.rng.standard_normal(self.rollout.shapes.action, dtype=np.float32)
        return self.mean(obs) + self.actor.log_std.detach().exp().cpu().numpy() * noise

    def reset(self) -> np.ndarray:
        """Start an episode in all environments; what was under way is lost."""
        seeds = None
        if self.reset_seed is not None:
            words = np.random.SeedSequence(self.reset_seed).generate_state(len(self.team.envs))
            seeds = [int(word) for word in words]
        self.rollout.clear()
        self.team.go()
        self.obs, _ = self.team.reset(seed=seeds)
        self.reset_seed = None
        return self.obs

    def step(self, action: np.ndarray) -> tuple[np.ndarray, ...]:
        """Act once in all environments that do not wait.

        Args:
            action: (n, act_dim); what environments get is clipped to [-1, 1].

        Returns:
            next_obs (n, obs_dim), reward, terminated and truncated (n,).
        """
        action = checks.vector("action", action, self.rollout.shapes.action)
        if self.obs is None:
            self.reset()
        live = ~self.team.waits
        found = self.team.step(np.clip(action, -1.0, 1.0))[:4]
        self.rollout.add(self.obs, action, found[1], found[0], *found[2:], live)
        self.total_steps += int(live.sum())
        self.obs, ended = found[0], found[2] | found[3]
        for k in np.flatnonzero(ended):
            self.history.add_episode(self.total_steps, self.team.envs[k].score)
        if ended.any():
            self.obs = self.team.restart(ended, wait=self.steps is None)
        return found

    def learn(self) -> None:
        """Learn from the rollout and drop it, when it is whole."""
        if self.team.waits.all() if self.steps is None else len(self.rollout) >= self.steps:
            self.history.add_update(self.total_steps, self.update_model())
            self.rollout.clear()
            self.team.go()

    def update_model(self) -> dict[str, float]:
        """Make all steps of learning from the rollout; return the means of their numbers."""
        self.updates += 1
        left = 1.0 - self.total_steps / self.decay_steps if self.decay_steps else 1.0
        for each, lr in zip(self.learners.values(), (self.actor_lr, self.critic_lr), strict=False):
            each.optimizer.param_groups[0]["lr"] = lr * max(left, 0.0)
        found: dict[str, list[float]] = {}
        for numbers in self.update(self.sample()):
            for name, number in numbers.items():
                found.setdefault(name, []).append(number)
        return {name: float(np.mean(several)) for name, several in found.items()}

    @torch.no_grad()
    def sample(self) -> Lesson:
        """Return the rollout as a lesson: what was done, its advantages, the values' targets."""
        steps = Steps(*(torch.from_numpy(c).to(self.device) for c in self.rollout.steps()))
        live = steps.live.bool()
        advantage, target = (rows[live] for rows in self.estimates(steps))
        if self.normalize:
            advantage = normalized(advantage)
        obs, action = steps.obs[live], steps.action[live]
        return Lesson(obs, action, self.log_density(obs, action), advantage, target)

    def estimates(self, steps: Steps) -> tuple[Tensor, Tensor]:
        """Return advantages and the values' targets, (T, n) each, from whole columns."""
        value, next_value = self.critic(steps.obs), self.critic(steps.next_obs)
        reward = self.reward_scale * steps.reward
        ends = steps.terminated, steps.truncated
        advantage = gae(reward, next_value, *ends, value, self.gamma, self.lam)
        return advantage, advantage + value

    def descend(self, lesson: Lesson, *names: str) -> dict[str, float]:
        """One step of learners down their losses, cut together; return the numbers to record."""
        learners, record, weights = [self.learners[name] for name in names], {}, []
        for each in learners:
            loss, numbers = each.objective(lesson)
            record |= self.history.read(self.total_steps, numbers)
            own = each.optimizer.param_groups[0]["params"]
            for weight, grad in zip(own, torch.autograd.grad(loss, own), strict=True):
                weight.grad = grad
            weights += own
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(weights, self.max_grad_norm)
        for each in learners:
            each.optimizer.step()
        return record

    def whole(self) -> bool:
        """Return True: nothing under way would be lost."""
        return True

    def streams(self) -> dict[str, np.random.Generator]:
        """Return the agent's own streams; those of the environments are in the team's state."""
        return {name: rng for name, rng in super().streams().items() if name != "environment"}

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, with the rollout and the episodes under way."""
        return super().state_dict() | {"moments": moments(self.learners)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, and play the episodes under way again."""
        super().load_state_dict(state)
        restore_moments(self.learners, state["moments"])
        self.obs = self.team.obs() if self.reset_seed is None else None
