"""Behavior cloning alone: demonstrations as a table of inputs and answers (Pomerleau 1989)."""

from typing import Any

import numpy as np
import torch

from pgcourse import checks
from pgcourse.agents.off_policy import Learner, descend
from pgcourse.display.live import Monitor
from pgcourse.parts.equations import bc_loss
from pgcourse.parts.history import History
from pgcourse.parts.networks import Actor, slow_copy
from pgcourse.parts.normalize import Normalizer
from pgcourse.parts.seeding import seeded_weights, stream_seed
from pgcourse.tasks.demos import episodes_of
from pgcourse.tasks.envs import check_spaces, make_env, split_obs


class Clone:
    """An actor fitted to demonstrations, without one step of the environment.

    Its policy is the actor that had the smallest loss on demonstrated episodes that it did not
    learn from: early stopping.

    Args:
        demo: transitions (obs, action, reward, next_obs, terminated) of at least two episodes.
        env: as for `make_env`; only its sizes are looked at. If it has goals, the actor sees the
            observation and the wanted goal.
        seed: of the weights, the batches and the choice of episodes.
        hidden: units of each hidden layer.
        batch_size: transitions per update.
        lr: learning rate.
        held_out: share of the episodes that it does not learn from, at least one.
        every: updates between two looks at both losses.
        patience: `train` stops after so many updates without a smaller held-out loss.

    Raises:
        TypeError, ValueError: an argument cannot work, or the demonstrations do not fit the
            environment.
    """

    def __init__(
        self, demo: list[tuple], env: Any, seed: int = 0, hidden=(128, 128), batch_size: int = 256,
        lr: float = 1e-3, held_out: float = 0.1, every: int = 100, patience: int = 1_000,
    ):  # fmt: skip
        seed, held_out = checks.integer("seed", seed, 0), checks.real("held_out", held_out, 0, 1)
        self.batch_size = checks.integer("batch_size", batch_size)
        self.every = checks.integer("every", every)
        self.patience = checks.integer("patience", patience)
        made = make_env(env)
        self.obs_dim, act_dim = check_spaces(made)
        self.goal_dim = (
            made.get_wrapper_attr("goal_dim") if made.has_wrapper_attr("goal_dim") else 0
        )
        made.close()
        self.rng = np.random.default_rng(stream_seed(seed, "demo"))
        kept, away = split_episodes(demo, self.obs_dim, act_dim, held_out, self.rng)
        self.normalizer = Normalizer(self.obs_dim - self.goal_dim)
        self.normalizer.update(self.seen([row[0] for row in kept]))
        self.rows, self.held_out = self.table(kept), self.table(away)
        with seeded_weights(stream_seed(seed, "weights")):
            self.actor = Actor(self.normalizer.size, act_dim, hidden=checks.sizes("hidden", hidden))
        self.best = slow_copy(self.actor)
        adam = torch.optim.Adam(self.actor.parameters(), checks.real("lr", lr, 0.0), fused=True)
        self.learners, self.followers = {"actor": Learner(self.actor, adam, self.loss)}, {}
        self.updates = self.best_at = 0
        self.history = History()  # its steps are updates: there are no others

    def seen(self, obs: Any) -> np.ndarray:
        """Return what the actor may see of obs: (..., obs_dim) without an achieved goal."""
        state, _, goal = split_obs(obs, self.goal_dim)
        return np.concatenate([state, goal], axis=-1)

    def table(self, rows: list[tuple]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return transitions as inputs (B, in_dim) and answers (B, act_dim)."""
        obs = self.normalizer(self.seen([row[0] for row in rows]))
        return torch.from_numpy(obs), torch.tensor([row[1] for row in rows])

    def loss(self, batch: tuple) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the cloning loss of inputs and answers, 07 Eq. 1, and the number to record."""
        obs, action = batch
        loss = bc_loss(self.actor(obs), action, torch.ones(len(obs)))
        return loss, {"bc_loss": loss}

    def train(self, updates: int, plotting_interval: int = 0) -> History:
        """Make so many more updates, or as many as it takes to run out of patience.

        Args:
            updates: with a batch of demonstrations each.
            plotting_interval: updates between two live plots in a notebook; 0 for none.

        Returns:
            "bc_loss" of every batch; at every look "held_out" and "all": of what it learns from.
        """
        last = self.updates + checks.integer("updates", updates)
        with Monitor(updates, plotting_interval, "update") as monitor:
            while self.updates < last and self.updates - self.best_at < self.patience:
                self.updates += 1
                rows = self.rng.integers(len(self.rows[0]), size=self.batch_size)
                loss, record = self.loss(tuple(column[rows] for column in self.rows))
                numbers = self.history.read(self.updates, record)
                self.history.add_update(self.updates, numbers)
                descend(self.learners["actor"], loss)
                if self.updates % self.every == 0:
                    self.look()
                monitor.tick(self.history)
        return self.history

    @torch.no_grad()
    def look(self) -> None:
        """Record both losses; keep the weights if no held-out loss was smaller."""
        all_rows = self.loss(self.rows)[0].item()
        held_out = self.loss(self.held_out)[0].item()
        if held_out < min(self.history.losses.get("held_out", [np.inf])):
            self.best.load_state_dict(self.actor.state_dict())
            self.best_at = self.updates
        self.history.add_update(self.updates, {"all": all_rows, "held_out": held_out})

    @property
    def total_steps(self) -> int:
        """Updates made: a clone makes no steps."""
        return self.updates

    @torch.inference_mode()
    def policy(self, obs: np.ndarray) -> np.ndarray:
        """Return the best actor's action: (..., obs_dim) to (..., act_dim), in [-1, 1]."""
        return self.best(torch.from_numpy(self.normalizer(self.seen(obs)))).numpy()


def split_episodes(
    demo: list[tuple], obs_dim: int, act_dim: int, share: float, rng: np.random.Generator
) -> tuple[list[tuple], list[tuple]]:
    """Return the rows of all episodes but some, and of those, drawn at random.

    Whole episodes: two neighbouring rows are nearly the same, so a row whose neighbours were
    learned from would test nothing.

    Args:
        demo, obs_dim, act_dim: as for `episodes_of`.
        share: of the episodes to be held out, at least one and not all.
        rng: draws them.

    Raises:
        TypeError, ValueError: fewer than two episodes, or a bad transition.
    """
    episodes = episodes_of(demo, obs_dim, act_dim)
    if len(episodes) < 2:
        raise ValueError(f"demo: got {len(episodes)} episodes; expected at least two")
    some = min(max(1, round(share * len(episodes))), len(episodes) - 1)
    away = set(rng.permutation(len(episodes))[:some].tolist())
    parts = ([row for k, e in enumerate(episodes) if (k in away) == out for row in e]
             for out in (False, True))  # fmt: skip
    return next(parts), next(parts)
