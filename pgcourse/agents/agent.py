"""What all agents share: an environment, episodes, a record, files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from pgcourse import checks
from pgcourse.display.live import Monitor
from pgcourse.display.video import render_episode
from pgcourse.parts.history import Episode, History
from pgcourse.parts.seeding import stream_seed
from pgcourse.runs.checkpoint import (
    copied,
    environment,
    part_state,
    read_state,
    restore_part,
    save_state,
)
from pgcourse.runs.interrupt import HeldInterrupt
from pgcourse.tasks.envs import check_spaces, check_turn, make_env, take_turn

COUNTS = ("total_steps", "first_step", "updates")


class Agent:
    """An agent in an environment; what it is made of and learns from is a subclass's.

    A subclass has `policy`, `explore`, `remember` and `learn`. Whatever attribute has a
    `state_dict` is saved and loaded with the agent.

    Args:
        env: an environment with flat observations and actions in [-1, 1]; or an id, or a
            function that makes one: see `make_env`.
        initial_random_steps: steps with uniformly random actions; learning goes on meanwhile.
        seed: one seed for all of the agent's own random streams.
        device: None is the CPU, which is the faster one for networks this small.

    Raises:
        TypeError, ValueError: an argument or a space of the environment cannot work.
    """

    def __init__(
        self,
        env: gym.Env | str | Callable[..., gym.Env],
        *,
        initial_random_steps: int = 1_000,
        seed: int = 777,
        device: str | None = None,
    ):
        self.env_maker = None if isinstance(env, gym.Env) else env
        self.env = make_env(env) if self.env_maker else env
        self.obs_dim, self.act_dim = check_spaces(self.env)
        self.initial_random_steps = checks.integer("initial_random_steps", initial_random_steps, 0)
        self.seed = checks.integer("seed", seed, 0)
        self.device = checks.device("device", device)
        self.reset_seed: int | None = self.stream_seed("reset")
        self.rng = np.random.default_rng(self.stream_seed("actions"))
        self.obs: np.ndarray | None = None  # None: the next step starts an episode
        self.score = 0.0
        self.total_steps = self.first_step = self.last_step = self.updates = 0
        self.history = History()

    def stream_seed(self, name: str) -> int:
        """Return the seed of one of this agent's random streams, by its name."""
        return stream_seed(self.seed, name)

    def select_action(self, obs: np.ndarray) -> np.ndarray:
        """Return an exploring action, (act_dim,): random at first, then `explore`."""
        if self.total_steps < self.initial_random_steps:
            return self.rng.uniform(-1.0, 1.0, self.act_dim).astype(np.float32)
        return self.explore(obs)

    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the agent's own action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        raise NotImplementedError

    def explore(self, obs: np.ndarray) -> np.ndarray:
        """Return an action to learn from, (act_dim,)."""
        raise NotImplementedError

    def remember(self, action, reward, next_obs, terminated) -> None:
        """Keep a transition that starts in the current obs."""
        raise NotImplementedError

    def learn(self) -> None:
        """Learn from what is kept, after each step, if it is enough."""
        raise NotImplementedError

    def reset(self) -> np.ndarray:
        """Start an episode and return its first obs: only the very first reset is seeded."""
        self.obs = np.array(self.env.reset(seed=self.reset_seed)[0])
        self.turn = take_turn(self.env)
        self.reset_seed = None
        self.score = 0.0
        return self.obs

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool]:
        """Act once and keep it; return next_obs, reward, terminated, truncated."""
        action = checks.vector("action", action, self.act_dim, limit=1.0)
        if self.obs is None:
            self.reset()
        check_turn(self.env, self.turn)
        next_obs, reward, terminated, truncated, _ = self.env.step(action)
        self.remember(action, reward, next_obs, terminated)
        self.total_steps += 1
        self.score += float(reward)
        self.obs = np.array(next_obs)  # a copy: some environments reuse their array
        if terminated or truncated:
            self.history.add_episode(self.total_steps, self.score)
            self.obs = None
        return next_obs, float(reward), terminated, truncated

    def train(
        self,
        num_frames: int,
        plotting_interval: int = 1_000,
        checkpoint: str | Path | None = None,
        checkpoint_interval: int = 1_000,
    ) -> History:
        """Train for `num_frames` more steps of the environment.

        Args:
            num_frames: environment steps; training goes on where it stopped before.
            plotting_interval: steps between two live plots in a notebook; 0 for none.
            checkpoint: a file to save to at ends of episodes; if it exists, the run that it
                holds is finished, to the same bits as if it had never stopped.
            checkpoint_interval: the least number of steps between two saves.

        Raises:
            TypeError, ValueError: an argument cannot work, the checkpoint is another
                agent's, or a number from the environment is not finite.
            FloatingPointError: a loss is not finite.
            KeyboardInterrupt: after a whole step; `train` can go on from there.
        """
        num_frames = checks.integer("num_frames", num_frames)
        checks.integer("plotting_interval", plotting_interval, 0)
        checks.integer("checkpoint_interval", checkpoint_interval)
        self._begin(num_frames, checkpoint)
        saved, left = self.total_steps, self.last_step - self.total_steps
        with Monitor(left, plotting_interval) as monitor, HeldInterrupt() as stop:
            while self.total_steps < self.last_step:
                obs, before = self.reset() if self.obs is None else self.obs, self.total_steps
                self.step(self.select_action(obs))
                self.learn()
                monitor.tick(self.history, self.total_steps - before)
                over = checkpoint is not None and self.whole()
                due = self.total_steps - saved >= checkpoint_interval or stop.asked
                if over and (due or self.total_steps >= self.last_step):
                    self.save(checkpoint)
                    saved = self.total_steps
                stop.check()
        return self.history

    def _begin(self, num_frames: int, checkpoint: str | Path | None) -> None:
        """Set where a run starts and ends; take over the one that a checkpoint holds."""
        if checkpoint is not None:
            environment(self.env)  # refuse at once what no checkpoint can keep
        if checkpoint is None or not Path(checkpoint).exists():
            self.first_step = self.total_steps
        elif self.total_steps == 0:
            self.load(checkpoint)
            print(f"Carrying on at step {self.total_steps:,} from {checkpoint}")
        else:  # the file must hold this agent's own past
            state = read_state(checkpoint, self.state_dict())
            past, own = state["history"][""], self.history.state_dict()[""]
            same = [torch.equal(past[k], own[k][: len(past[k])]) for k in ("steps", "values")]
            if not all(same) or state["counts"]["total_steps"] > self.total_steps:
                raise ValueError(
                    f"checkpoint: got {str(checkpoint)!r}, of another run; expected a new file, "
                    "or a new agent to carry on with"
                )
            if self.total_steps >= self.last_step:  # that run is finished: this is the next one
                self.first_step = self.total_steps
        self.last_step = self.first_step + num_frames

    def whole(self) -> bool:
        """Return whether the state holds all that the next step needs: no episode is under way."""
        return self.obs is None

    def streams(self) -> dict[str, np.random.Generator]:
        """Return the random streams that are the agent's own and not a part's, by name."""
        own = {k: v for k, v in vars(self).items() if isinstance(v, np.random.Generator)}
        return own | {"environment": self.env.unwrapped.np_random}

    def parts(self) -> dict[str, Any]:
        """Return what a checkpoint holds of this agent besides counts and streams, by name."""
        return {
            n: p for n, p in vars(self).items() if hasattr(p, "state_dict") or hasattr(p, "kept")
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state at the end of an episode, as names, tensors and numbers."""
        return {
            "agent": type(self).__name__,
            "environment": environment(self.env),
            "counts": {name: getattr(self, name) for name in COUNTS},
            "reset": {"seed": -1 if self.reset_seed is None else self.reset_seed},
            "streams": {name: rng.bit_generator.state for name, rng in self.streams().items()},
        } | {name: part_state(part) for name, part in self.parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; the next step starts an episode."""
        if min(state["counts"].values()) < 0 or state["reset"]["seed"] < -1:
            raise ValueError("a negative number of steps")
        for name, rng in self.streams().items():
            rng.bit_generator.state = state["streams"][name]
        for name, part in self.parts().items():
            restore_part(part, state[name])
        for name, number in state["counts"].items():
            setattr(self, name, number)
        seed = state["reset"]["seed"]
        self.reset_seed, self.obs, self.score = None if seed == -1 else seed, None, 0.0

    def save(self, path: str | Path) -> None:
        """Write a checkpoint: everything but an episode that is under way.

        Raises:
            FileNotFoundError, ValueError: the folder does not exist, path is a folder, or the
                environment has a state that a checkpoint would lose.
        """
        save_state(self.state_dict(), path)

    def load(self, path: str | Path) -> None:
        """Take over a checkpoint of an agent that was made as this one was.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or holds another agent, environment or shape. The
                agent is then as it was before.
        """
        own = self.state_dict()
        state, before = read_state(path, own), copied(own)
        try:
            self.load_state_dict(state)
        except Exception as error:
            self.load_state_dict(before)
            raise ValueError(
                f"path: got {str(path)!r}, with {error}; expected a checkpoint"
            ) from None

    def test(self, seed: int = 0) -> Episode:
        """Play one rendered episode in a new environment; training is not touched."""
        spec = self.env.spec
        maker = self.env_maker or (lambda render_mode: gym.make(spec, render_mode=render_mode))
        return render_episode(self, maker, seed)
