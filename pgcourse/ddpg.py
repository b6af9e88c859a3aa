"""Deep Deterministic Policy Gradient (Lillicrap et al. 2015, Algorithm 1)."""

import copy
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from pgcourse import checks
from pgcourse.buffer import Batch, ReplayBuffer
from pgcourse.checkpoint import load_agent, save_agent
from pgcourse.compiled import CompiledUpdate
from pgcourse.envs import check_spaces
from pgcourse.equations import actor_loss, critic_loss, soft_update, td_target
from pgcourse.history import Episode, History
from pgcourse.networks import Actor, Critic
from pgcourse.noise import OUNoise
from pgcourse.optim import descend
from pgcourse.training import train
from pgcourse.video import render_episode


class DDPGAgent:
    """An actor, a critic, their slow copies, a replay buffer and exploration noise.

    Args:
        env: flat observations, actions in [-1, 1]: see `make_env`.
        memory_size: transitions in the replay buffer.
        batch_size: transitions per update.
        ou_noise_theta, ou_noise_sigma: the exploration noise, 03 Eq. 5.
        gamma: discount per step, in [0, 1].
        tau: speed of the target networks, 03 Eq. 9, in [0, 1].
        initial_random_steps: steps with uniformly random actions; learning goes on meanwhile.
        seed: one seed for all of the agent's own random streams.
        device: None is the CPU, which is the faster one for networks this small.
        compile: run each update as one compiled graph; takes seconds to start, see `compiled.py`.

    Raises:
        TypeError, ValueError: an argument or a space of the environment cannot work.
    """

    actor_lr, critic_lr = 3e-4, 1e-3

    def __init__(
        self,
        env: gym.Env,
        memory_size: int,
        batch_size: int,
        ou_noise_theta: float,
        ou_noise_sigma: float,
        gamma: float = 0.99,
        tau: float = 5e-3,
        initial_random_steps: int = 10_000,
        seed: int = 777,
        device: str | None = None,
        compile: bool = False,
    ):
        given = locals()
        self.settings = {key: value for key, value in given.items() if key not in ("self", "env")}
        self.env = env
        self.obs_dim, self.act_dim = check_spaces(env)
        self.gamma = checks.real("gamma", gamma, 0.0, 1.0)
        self.tau = checks.real("tau", tau, 0.0, 1.0)
        self.initial_random_steps = checks.integer("initial_random_steps", initial_random_steps, 0)
        self.device = checks.device("device", device)

        # One seed makes five independent streams, so that no part disturbs another.
        entropy = np.random.SeedSequence(checks.integer("seed", seed, 0)).generate_state(5)
        first_reset, for_actions, for_memory, for_noise, for_weights = map(int, entropy)
        self.reset_seed: int | None = first_reset
        self.rng = np.random.default_rng(for_actions)
        self.memory = ReplayBuffer(self.obs_dim, self.act_dim, memory_size, batch_size, for_memory)
        self.noise = OUNoise(
            self.act_dim, theta=ou_noise_theta, sigma=ou_noise_sigma, seed=for_noise
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(for_weights)
            self.actor, self.critic = (network.to(self.device) for network in self.make_networks())
        self.actor_target = copy.deepcopy(self.actor).requires_grad_(False)
        self.critic_target = copy.deepcopy(self.critic).requires_grad_(False)
        self.actor_optimizer = self.make_optimizer(self.actor, self.actor_lr)
        self.critic_optimizer = self.make_optimizer(self.critic, self.critic_lr)

        self.compiled = CompiledUpdate(self) if checks.flag("compile", compile) else None

        self.obs: np.ndarray | None = None  # None: the next step starts an episode
        self.episode_start: tuple | None = None  # with the actions, all it takes to play it again
        self.episode_actions: list[np.ndarray] = []
        self.score = 0.0
        self.total_steps = self.first_step = self.last_step = 0
        self.history = History()

    def make_networks(self) -> tuple[Actor, Critic]:
        """Return a new actor and a new critic."""
        return Actor(self.obs_dim, self.act_dim), Critic(self.obs_dim + self.act_dim)

    def make_optimizer(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        """Return Adam for a network; AMSGrad lets its steps shrink when gradients do."""
        return torch.optim.Adam(network.parameters(), lr=lr, amsgrad=True, fused=True)

    @torch.inference_mode()
    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the actor's own action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        rows = torch.from_numpy(np.asarray(obs, dtype=np.float32)).to(self.device)
        return self.actor(rows).cpu().numpy()

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action, (act_dim,): uniform at first, then policy plus noise."""
        if self.total_steps < self.initial_random_steps:
            return self.rng.uniform(-1.0, 1.0, self.act_dim).astype(np.float32)
        return np.clip(self.policy(obs) + self.noise.sample(), -1.0, 1.0).astype(np.float32)

    def reset(self) -> np.ndarray:
        """Start an episode and return its first obs: only the very first reset is seeded."""
        self.episode_start = self.reset_seed, self.env.unwrapped.np_random.bit_generator.state
        self.episode_actions = []
        self.obs = np.array(self.env.reset(seed=self.reset_seed)[0])
        self.reset_seed = None
        self.noise.reset()
        self.score = 0.0
        return self.obs

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once and store the transition; return next_obs, reward, terminated, truncated."""
        if self.obs is None:
            self.reset()
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        self.remember(action, reward, next_obs, terminated)
        self.episode_actions.append(np.array(action, dtype=np.float32))
        self.total_steps += 1
        self.score += float(reward)
        self.obs = np.array(next_obs)  # a copy: some environments reuse their array
        if terminated or truncated:
            self.history.add_episode(self.total_steps, self.score)
            self.obs = None
        return next_obs, float(reward), terminated, truncated

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Store a transition that starts in the current obs."""
        self.memory.store(self.obs, action, reward, next_obs, terminated)

    def sample(self) -> Batch:
        """Draw a batch from the replay buffer, as tensors on the agent's device."""
        return self.to_tensors(self.memory.sample_batch())

    def to_tensors(self, batch: Batch) -> Batch:
        """Return the arrays of a batch as tensors, without a copy on the CPU."""
        return Batch(*(torch.from_numpy(column).to(self.device) for column in batch))

    def critic_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the critic's loss, 03 Eqs. 6 and 7, and the numbers to record."""
        next_q = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
        target = td_target(batch.reward, next_q, batch.terminated, self.gamma)
        loss = critic_loss(self.critic(batch.obs, batch.action), target)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the actor's loss, 03 Eq. 8, and the numbers to record."""
        loss = actor_loss(self.critic(batch.obs, self.actor(batch.obs)))
        return loss, {"actor_loss": loss}

    def update_critic(self, batch: Batch) -> dict[str, float]:
        """One step down the critic's loss."""
        loss, parts = self.critic_objective(batch)
        record = self.history.read(self.total_steps, parts)
        descend(self.critic, self.critic_optimizer, loss)
        return record

    def update_actor(self, batch: Batch) -> dict[str, float]:
        """One step down the actor's loss."""
        loss, parts = self.actor_objective(batch)
        record = self.history.read(self.total_steps, parts)
        descend(self.actor, self.actor_optimizer, loss)
        return record

    def update_model(self) -> dict[str, float]:
        """One update of everything: critic, actor, then both targets (03 Eqs. 6 to 9)."""
        batch = self.sample()
        if self.compiled and (parts := self.compiled(batch)):
            return self.history.read(self.total_steps, parts)  # all of the below, as one graph
        losses = self.update_critic(batch) | self.update_actor(batch)
        soft_update(self.actor_target, self.actor, self.tau)
        soft_update(self.critic_target, self.critic, self.tau)
        return losses

    def train(
        self,
        num_frames: int,
        plotting_interval: int = 1_000,
        checkpoint: str | Path | None = None,
        checkpoint_interval: int = 1_000,
    ) -> History:
        """Train for `num_frames` more steps of the environment, one update each from a batch on.

        Args:
            num_frames: environment steps; training goes on where it stopped before.
            plotting_interval: steps between two live plots in a notebook; 0 for none.
            checkpoint: a file to save to; if it exists, the run that it holds is finished.
            checkpoint_interval: steps between two saves.

        Raises:
            TypeError, ValueError: an argument cannot work, the checkpoint is another
                agent's, or a number from the environment is not finite.
            FloatingPointError: a loss is not finite.
            KeyboardInterrupt: after a whole step; `train` can go on from there.
        """
        return train(self, num_frames, plotting_interval, checkpoint, checkpoint_interval)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint: see `save_agent`."""
        save_agent(self, path)

    @classmethod
    def load(cls, path: str | Path, env: gym.Env) -> "DDPGAgent":
        """Return the agent of a checkpoint: see `load_agent`."""
        return load_agent(cls, path, env)

    def test(self, seed: int = 0) -> Episode:
        """Play one rendered episode in a new environment; training is not touched."""
        return render_episode(self, gym.make(self.env.spec, render_mode="rgb_array"), seed)
