"""DDPG with hindsight, and with demonstrations if there are any (Nair et al. 2017)."""

from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from pgcourse import checks
from pgcourse.buffer import Batch
from pgcourse.ddpg import DDPGAgent
from pgcourse.demos import whole_episodes
from pgcourse.envs import goal_parts, split_obs
from pgcourse.equations import (
    actor_loss,
    bc_loss,
    clip_target,
    critic_loss,
    q_filter,
    td_target,
)  # fmt: skip
from pgcourse.her import HindsightBuffer
from pgcourse.networks import Actor, Critic
from pgcourse.normalize import Normalizer


class HERAgent(DDPGAgent):
    """DDPG whose goal is an input, whose buffer relabels goals, and which may imitate.

    Args:
        env: an environment with goals, made by `make_env` (see `FlatGoal`); rewards in [-1, 0],
            and nothing but a time limit ends an episode.
        episodes: episodes in the hindsight buffer.
        batch_size: N, replayed transitions per update.
        demo_batch_size: N_D, demonstration transitions added to each batch; 0 for none.
        demo: transitions of whole episodes, as `record_demos` returns them.
        relabel, strategy: as for `HindsightBuffer`.
        gamma, tau, initial_random_steps, seed, device, compile: as for `DDPGAgent`.
        epsilon: probability of a uniformly random action while training.
        sigma: deviation of the white noise on all other actions.
        lambda1: weight of the policy gradient and the action penalty, at least 0.
        lambda2: weight of the cloning loss, at least 0.
        q_filter: imitate only where the critic prefers the demonstrator (07 Eq. 3).
        action_penalty: weight of the mean squared action (08 Eq. 6), at least 0.
        clipped: keep targets within the returns that are possible (08 Eq. 4).
        normalized: shift, scale and clip the networks' inputs (08 Eq. 5).
        hidden: units of each hidden layer, in both networks.
        lr: Adam's learning rate, for both networks.

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit
            the environment.
    """

    def __init__(
        self,
        env: gym.Env,
        episodes: int,
        batch_size: int = 256,
        demo_batch_size: int = 0,
        demo: Sequence[tuple] = (),
        relabel: float = 0.8,
        strategy: str = "future",
        gamma: float = 0.98,
        tau: float = 1e-3,
        initial_random_steps: int = 0,
        epsilon: float = 0.1,
        sigma: float = 0.1,
        lambda1: float = 3e-4,
        lambda2: float = 1.0,
        q_filter: bool = True,
        action_penalty: float = 1.0,
        clipped: bool = True,
        normalized: bool = True,
        hidden: Sequence[int] = (256, 256),
        lr: float = 1e-3,
        seed: int = 777,
        device: str | None = None,
        compile: bool = False,
    ):
        given = locals()
        self.goal_dim, steps, compute_reward = goal_parts(env)
        checks.integer("batch_size", batch_size)
        checks.instance("hidden", hidden, list | tuple, "sizes such as (256, 256)")
        self.hidden = tuple(checks.integer("hidden", units) for units in hidden)
        self.actor_lr = self.critic_lr = checks.real("lr", lr, 1e-12)
        super().__init__(
            env, batch_size, batch_size, 1.0, sigma,
            gamma, tau, initial_random_steps, seed, device, compile,
        )  # fmt: skip
        outside = ("self", "env", "demo", "__class__")
        self.settings = {key: value for key, value in given.items() if key not in outside}
        self.settings["hidden"] = list(self.hidden)
        self.epsilon = checks.real("epsilon", epsilon, 0.0, 1.0)
        self.lambda1 = checks.real("lambda1", lambda1, 0.0)
        self.lambda2 = checks.real("lambda2", lambda2, 0.0)
        self.action_penalty = checks.real("action_penalty", action_penalty, 0.0)
        self.q_filter = checks.flag("q_filter", q_filter)
        self.clipped = checks.flag("clipped", clipped)
        self.normalized = checks.flag("normalized", normalized)
        self.normalizer = Normalizer(self.state_dim + self.goal_dim)

        def buffer(episodes: int, batch_size: int, seed: int) -> HindsightBuffer:
            return HindsightBuffer(
                self.state_dim, self.goal_dim, self.act_dim, episodes, steps, batch_size,
                lambda achieved, goal: compute_reward(achieved, goal, {}), relabel, seed, strategy,
            )  # fmt: skip

        self.memory = buffer(episodes, batch_size, seed + 2)
        self.episode_obs: list[np.ndarray] = []
        self.demo_batch_size = checks.integer("demo_batch_size", demo_batch_size, 0)
        if len(demo) and not demo_batch_size:
            raise ValueError("demo_batch_size: got 0 with demonstrations; expected at least 1")
        if demo_batch_size:
            whole = whole_episodes(demo, self.obs_dim, self.act_dim, steps)
            self.demo_memory = buffer(len(whole), demo_batch_size, seed + 1)
            for obs, action in whole:
                self.store_episode(self.demo_memory, obs, action)

    @property
    def state_dim(self) -> int:
        """Numbers in an observation proper: obs without the achieved and the desired goal."""
        return self.obs_dim - 2 * self.goal_dim

    @staticmethod
    def demo_rows(state, achieved, action, goal, length) -> list[tuple]:
        """Return the demonstrations that a demonstration buffer was filled with."""
        rows = []
        for s, c, a, g, steps in zip(state, achieved, action, goal, length, strict=True):
            obs = np.concatenate([s, c, np.broadcast_to(g, (len(s), len(g)))], axis=1)
            rows += [(obs[t], a[t], 0.0, obs[t + 1], False) for t in range(steps)]
        return rows

    def make_networks(self) -> tuple[Actor, Critic]:
        """Return a new actor and a new critic, which see the observation and the goal."""
        seen = self.state_dim + self.goal_dim
        actor = Actor(seen, self.act_dim, hidden=self.hidden)
        return actor, Critic(seen + self.act_dim, hidden=self.hidden)

    def inputs(self, seen: np.ndarray) -> np.ndarray:
        """Return observations with goals, (..., state_dim + goal_dim), as the networks get them."""
        return self.normalizer(seen) if self.normalized else np.asarray(seen, dtype=np.float32)

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the actor's own action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        state, _, goal = split_obs(obs, self.goal_dim)
        return super().policy(self.inputs(np.concatenate([state, goal], axis=-1)))

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action, (act_dim,): uniform now and then, else policy plus noise."""
        if self.rng.random() < self.epsilon:
            return self.rng.uniform(-1.0, 1.0, self.act_dim).astype(np.float32)
        return super().select_action(obs)

    def reset(self) -> np.ndarray:
        """Start an episode and return its first obs."""
        self.episode_obs = [super().reset()]
        return self.obs

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Keep the next obs: what is stored is the whole episode, when it ends."""
        if terminated or not -1.0 <= reward <= 0.0:
            raise ValueError(
                f"env: got reward {reward}, terminated {terminated}; expected rewards in [-1, 0] "
                "and episodes that only a time limit ends"
            )
        self.episode_obs.append(np.array(next_obs))

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once; return next_obs, reward, terminated, truncated."""
        result = super().step(action)
        if self.obs is None:
            self.store_episode(self.memory, self.episode_obs, self.episode_actions)
        return result

    def store_episode(self, memory: HindsightBuffer, obs: list, action: list) -> None:
        """Store an episode, T + 1 obs and T actions, and let the normalizer see it."""
        state, achieved, goal = split_obs(obs, self.goal_dim)
        memory.store(state, achieved, action, goal[0])
        for aim in (goal, achieved):  # both kinds of goal are inputs
            self.normalizer.update(np.concatenate([state, aim], axis=1))

    def sample(self) -> Batch:
        """Draw N replayed transitions followed by N_D demonstrations, goals relabelled."""
        batch = self.memory.sample_batch()
        if self.demo_batch_size:
            demo = self.demo_memory.sample_batch()
            batch = Batch(*map(np.concatenate, zip(batch, demo, strict=True)))
        obs, next_obs = self.inputs(batch.obs), self.inputs(batch.next_obs)
        return self.to_tensors(batch._replace(obs=obs, next_obs=next_obs))

    def critic_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the critic's loss, 03 Eqs. 6 and 7, its targets clipped by 08 Eq. 4."""
        next_q = self.critic_target(batch.next_obs, self.actor_target(batch.next_obs))
        target = td_target(batch.reward, next_q, batch.terminated, self.gamma)
        if self.clipped:
            target = clip_target(target, self.gamma)
        loss = critic_loss(self.critic(batch.obs, batch.action), target)
        return loss, {"critic_loss": loss}

    def actor_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the actor's loss, 08 Eq. 6, and the numbers to record."""
        action = self.actor(batch.obs)
        q = self.critic(batch.obs, action)
        loss = self.lambda1 * (actor_loss(q) + self.action_penalty * (action**2).mean())
        if not self.demo_batch_size:
            return loss, {"actor_loss": loss}
        demo = slice(-self.demo_batch_size, None)
        with torch.no_grad():
            demo_q = self.critic(batch.obs[demo], batch.action[demo])
        mask = q_filter(demo_q, q[demo]) if self.q_filter else torch.ones_like(demo_q)
        bc_term = self.lambda2 * bc_loss(action[demo], batch.action[demo], mask)
        record = {"actor_loss": loss + bc_term, "bc_term": bc_term, "pass_rate": mask.mean()}
        return loss + bc_term, record
