"""DDPG with hindsight, and with demonstrations if there are any (Nair et al. 2017)."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from torch import Tensor

from pgcourse import checks
from pgcourse.agents.bc import BCAgent, check_filter, cloning
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.off_policy import OffPolicyAgent
from pgcourse.parts.buffer import Batch
from pgcourse.parts.equations import actor_loss, clip_target, critic_loss, td_target
from pgcourse.parts.hindsight import HindsightBuffer
from pgcourse.parts.normalize import Normalizer
from pgcourse.tasks.demos import episodes_of
from pgcourse.tasks.envs import goal_parts, layers, split_obs

DEFAULTS = {
    "gamma": 0.98, "tau": 1e-3, "actor_lr": 1e-3, "critic_lr": 1e-3, "hidden": (256, 256),
    "ou_noise_sigma": 0.1, "initial_random_steps": 0,
}  # fmt: skip


class HERAgent(OffPolicyAgent):
    """DDPG whose goal is an input, whose buffer relabels goals, and which may imitate.

    Args:
        env: an environment with goals, made by `make_env` (see `FlatGoal`); rewards in [-1, 0],
            and nothing but a time limit ends an episode.
        episodes: episodes in the hindsight buffer.
        batch_size: N, replayed transitions per update.
        demo_batch_size: N_D, demonstration transitions added to each batch; 0 for none.
        demo: transitions of whole episodes, as `record_demos` returns them.
        relabel, strategy: as for `HindsightBuffer`.
        demo_relabel: the share of demonstrated rows whose goal is replaced; None is `relabel`.
        epsilon: probability of a uniformly random action while training.
        lambda1: weight of the policy gradient and the action penalty, at least 0.
        lambda2: weight of the cloning loss, at least 0.
        q_filter, pretrain: as for `BCAgent`.
        action_penalty: weight of the mean squared action (08 Eq. 6), at least 0.
        clipped: keep targets within the returns that are possible (08 Eq. 4).
        normalized: shift, scale and clip the networks' inputs (08 Eq. 5).
        options: as for `OffPolicyAgent`; `DEFAULTS` are the arm's.

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit
            the environment.
    """

    def __init__(
        self,
        env: Any,
        episodes: int = 1_000,
        batch_size: int = 256,
        demo_batch_size: int = 0,
        *,
        demo: Sequence[tuple] = (),
        relabel: float = 0.8,
        strategy: str = "future",
        demo_relabel: float | None = None,
        epsilon: float = 0.1,
        lambda1: float = 3e-4,
        lambda2: float = 1.0,
        q_filter: bool | str = True,
        pretrain: int = 0,
        action_penalty: float = 1.0,
        clipped: bool = True,
        normalized: bool = True,
        **options: Any,
    ):
        self.relabel, self.strategy = relabel, strategy
        self.epsilon = checks.real("epsilon", epsilon, 0.0, 1.0)
        self.lambda1 = checks.real("lambda1", lambda1, 0.0)
        self.lambda2 = checks.real("lambda2", lambda2, 0.0)
        self.action_penalty = checks.real("action_penalty", action_penalty, 0.0)
        self.q_filter = check_filter(q_filter)
        self.pretrain = checks.integer("pretrain", pretrain, 0)
        self.clipped = checks.flag("clipped", clipped)
        self.normalized = checks.flag("normalized", normalized)
        super().__init__(env, episodes, batch_size, **DEFAULTS | options)
        if episodes * self.memory.steps < batch_size:
            raise ValueError(
                f"episodes: got {episodes} of {self.memory.steps} steps, fewer than batch_size "
                f"{batch_size}; expected room for a batch: with less nothing is ever learned"
            )
        self.normalizer = Normalizer(self.in_dim)
        self.episode_obs: list[np.ndarray] = []
        self.episode_actions: list[np.ndarray] = []
        self.demo_batch_size = checks.integer("demo_batch_size", demo_batch_size, 0)
        if (len(demo) or pretrain) and not demo_batch_size:
            raise ValueError("demo_batch_size: got 0 with demo or pretrain; expected at least 1")
        if demo_batch_size:
            whole = whole_episodes(demo, self.obs_dim, self.act_dim, self.memory.steps)
            stream = self.stream_seed("demo")
            self.demo_memory = self.make_memory(len(whole), demo_batch_size, stream)
            if demo_relabel is not None:
                self.demo_memory.relabel = checks.real("demo_relabel", demo_relabel, 0.0, 1.0)
            for obs, action in whole:
                self.store_episode(self.demo_memory, obs, action)

    # Networks and lists are those of chapter 03, what comes before the first step is that of 07.
    build = DDPGAgent.build
    _begin, learn_from_demos = BCAgent._begin, BCAgent.learn_from_demos

    def make_memory(self, size: int, batch_size: int, seed: int) -> HindsightBuffer:
        """Return an empty buffer of `size` episodes, which computes rewards as the env does."""
        self.goal_dim, steps, self.compute_reward = goal_parts(self.env)
        check_rewards(self.env, self.goal_dim, self.compute_reward)
        return HindsightBuffer(
            self.obs_dim - 2 * self.goal_dim, self.goal_dim, self.act_dim, size, steps, batch_size,
            lambda achieved, goal: self.compute_reward(achieved, goal, {}),
            self.relabel, seed, self.strategy,
        )  # fmt: skip

    @property
    def in_dim(self) -> int:
        """Numbers that the networks see: the observation proper and the wanted goal."""
        return self.obs_dim - self.goal_dim

    def inputs(self, seen: np.ndarray) -> np.ndarray:
        """Return observations with goals, (..., state_dim + goal_dim), as the networks get them."""
        return self.normalizer(seen) if self.normalized else np.asarray(seen, dtype=np.float32)

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the actor's action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        state, _, goal = split_obs(obs, self.goal_dim)
        return super().policy(self.inputs(np.concatenate([state, goal], axis=-1)))

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action, (act_dim,): uniform now and then, else policy plus noise."""
        if self.rng.random() < self.epsilon:
            return self.rng.uniform(-1.0, 1.0, self.act_dim).astype(np.float32)
        return super().select_action(obs)

    def reset(self) -> np.ndarray:
        """Start an episode and return its first obs."""
        self.episode_obs, self.episode_actions = [super().reset()], []
        return self.obs

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Keep the next obs and the action: what is stored is the whole episode, at its end."""
        _, achieved, goal = split_obs(next_obs, self.goal_dim)
        computed = float(self.compute_reward(achieved, goal, {}))
        if terminated or reward != computed or not -1.0 <= reward <= 0.0:
            raise ValueError(
                f"env: got reward {reward}, terminated {terminated}; expected what its "
                f"compute_reward says, {computed}, in [-1, 0], and only a time limit as an end"
            )
        self.episode_obs.append(checks.vector("next_obs", next_obs, self.obs_dim))
        self.episode_actions.append(action)

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
        return self.seen(batch)

    def sample_demo(self) -> Batch:
        """Draw N_D demonstrations."""
        return self.seen(self.demo_memory.sample_batch())

    def seen(self, batch: Batch) -> Batch:
        """Return a batch as tensors, its obs as the networks get them."""
        obs, next_obs = self.inputs(batch.obs), self.inputs(batch.next_obs)
        return self.to_tensors(batch._replace(obs=obs, next_obs=next_obs))

    def critic_objective(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the critic's loss, 03 Eqs. 6 and 7, targets clipped by 08 Eq. 4."""
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
        n, filtered = self.demo_batch_size, self.q_filter
        distance, pass_rate = cloning(self.critic, batch, action, q, n, filtered)
        bc_term = self.lambda2 * distance
        record = {"bc_term": bc_term, "pass_rate": pass_rate}
        return loss + bc_term, {"actor_loss": loss + bc_term} | record


def check_rewards(env: gym.Env, goal_dim: int, compute_reward) -> None:
    """Refuse rewards that hindsight cannot compute anew, at once; ValueError."""
    for layer in layers(env):
        if isinstance(layer, gym.RewardWrapper):
            raise ValueError(
                f"env: got the wrapper {type(layer).__name__}, which hindsight would ignore; "
                "expected rewards as compute_reward says"
            )
    here = np.zeros(goal_dim)
    for goal in (here, here + 1e6):
        reward = float(compute_reward(here, goal, {}))
        if not -1.0 <= reward <= 0.0:
            raise ValueError(
                f"env: got a reward of {reward} from compute_reward; expected rewards in [-1, 0]"
            )


def whole_episodes(
    demo: list[tuple], obs_dim: int, act_dim: int, steps: int
) -> list[tuple[list, list]]:
    """Cut demonstrations into episodes, (T + 1 obs, T actions) each.

    Args:
        demo: transitions of whole episodes, as `record_demos` returns them.
        obs_dim, act_dim: numbers in an observation and in an action.
        steps: the time limit; an episode also ends where the next row starts elsewhere.

    Raises:
        TypeError, ValueError: no demonstrations, or a bad one.
    """
    episodes = episodes_of(demo, obs_dim, act_dim, steps)
    if not episodes:
        raise ValueError("demo: got none; expected transitions of whole episodes")
    return [([r[0] for r in e] + [e[-1][3]], [r[1] for r in e]) for e in episodes]
