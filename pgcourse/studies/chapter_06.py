"""Chapter 06: what each ingredient of DDPGfD does on the car, at equal numbers of updates."""

from functools import cache
from typing import Any

import torch

from pgcourse.agents.bc import BCAgent
from pgcourse.agents.clone import Clone
from pgcourse.agents.ddpg import DDPGAgent
from pgcourse.agents.ddpgfd import DDPGfDAgent
from pgcourse.agents.off_policy import OffPolicyAgent
from pgcourse.parts.prioritized import PrioritizedBatch
from pgcourse.runs.evaluation import evaluate
from pgcourse.studies import chapter_07, evidence
from pgcourse.studies.chapter_07 import CAR, losses_of
from pgcourse.studies.evidence import networks_of, trained

STARTS = chapter_07.STARTS[CAR]  # held out
SEEDS = range(10)
STEPS, RANDOM_STEPS, PIECES = 2_000, 1_000, 4
MORE = 1_000  # updates besides one for each step: before the first step, or when it can be
# What each kind changes. "late": the further updates come when the random steps are over.
KINDS: dict[str, dict[str, Any]] = {
    "clone": {},
    "DDPG, late": {},
    "demonstrations once": {"n_weight": 0.0, "alpha": 0.0, "l2": 0.0},
    "demonstrations in each batch": {"lambda2": 0.0},
    "07": {},
    "DDPGfD": {},
    "DDPGfD, actor from the first": {},
    "without n-step": {"n_weight": 0.0},
    "without priorities": {"alpha": 0.0},
    "without bonus": {"epsilon_demo": 0.0},
    "without L2": {"l2": 0.0},
    # The same updates in a fifth of the steps.
    "DDPGfD, 5 updates a step": {"updates_per_step": 5, "initial_random_steps": RANDOM_STEPS // 5},
}
LATE = ["demonstrations once", "demonstrations in each batch", "07", "DDPGfD"]
KINDS |= {f"{kind}, late": KINDS[kind] | {"pretrain": 0} for kind in LATE}
OF_07 = ("demonstrations in each batch", "07")
SOME = ["clone", "07", "DDPGfD", "without n-step"]
TEACHERS = {
    "10 episodes": list(KINDS),
    "3 episodes": SOME,
    "1 episode": SOME[1:],  # a clone holds one episode out
    "half random": [*SOME, "without priorities"],
}
ARMS = [f"{teacher}: {kind}" for teacher, kinds in TEACHERS.items() for kind in kinds]
JOBS = [(arm, seed) for arm in ARMS for seed in SEEDS]
TOLERANCE = evidence.TOLERANCE | {100: (3e-3, 1e-5)}  # as chapter 07, on the same car
# Rows whose networks the chapter looks at, and the file that they go to.
KEPT = {
    ("10 episodes: DDPGfD", 0): "06_car",
    ("1 episode: DDPGfD", 0): "06_one",
    ("half random: DDPGfD", 0): "06_random",
}


class ActorFromTheFirst(DDPGfDAgent):
    """Its actor follows the critic in every update, while that one knows nothing yet."""

    def update(self, batch: PrioritizedBatch) -> dict[str, float]:
        """Let both learn."""
        self.learners["actor"].every = 1
        return super().update(batch)


@cache
def demonstrations(teacher: str) -> list[tuple]:
    """Return the transitions of a teacher: full force, or a coin tossed in each step."""
    if teacher == "half random":
        return chapter_07.demonstrations(teacher)
    rows, wanted = chapter_07.demonstrations("full force"), int(teacher.split()[0])
    ends = [k + 1 for k, row in enumerate(rows) if row[4]]  # each of them reaches the flag
    return rows[: ends[wanted - 1]]


def make(arm: str, seed: int) -> DDPGAgent | BCAgent | DDPGfDAgent | Clone:
    """Return a new agent of an arm, or a new clone."""
    teacher, kind = arm.split(": ")
    demo, options = demonstrations(teacher), {"initial_random_steps": RANDOM_STEPS} | KINDS[kind]
    if kind == "clone":
        return Clone(demo, CAR, seed)
    if kind == "DDPG, late":
        return with_late_updates(DDPGAgent(CAR, seed=seed, **options))
    options = {"demo": demo, "pretrain": MORE, "seed": seed} | options
    if kind.removesuffix(", late") in OF_07:
        agent = BCAgent(CAR, demo_batch_size=min(128, len(demo)), **options)
    else:
        first = kind.endswith("from the first")
        agent = (ActorFromTheFirst if first else DDPGfDAgent)(CAR, **options)
    return with_late_updates(agent)


def with_late_updates(agent: OffPolicyAgent) -> OffPolicyAgent:
    """Let an agent make the updates that it has missed when its random steps are over.

    One that does not learn before its first step misses those, and one whose memory is empty then
    those until the first full batch.
    """
    learn = agent.learn

    def learn_more() -> None:
        learn()
        if agent.total_steps == agent.initial_random_steps:
            while agent.updates < MORE + agent.total_steps * agent.updates_per_step:
                agent.history.add_update(agent.total_steps, agent.update_model())

    agent.learn = learn_more
    return agent


def train(arm: str, seed: int) -> dict[str, Any]:
    """Train an agent and return its row: curve, returns, how many updates it made.

    The steps of a clone's curve are updates; its row has the losses of every look at them. A row of
    DDPGfD has the share of demonstrations in the last 50 batches.
    """
    # L2 drives the weights of dead units to numbers so small that a processor slows down.
    torch.set_flush_denormal(True)
    agent = make(arm, seed)
    clone = isinstance(agent, Clone)
    steps = chapter_07.UPDATES if clone else STEPS // agent.updates_per_step
    row = trained(agent, steps, PIECES, lambda agent: evaluate(agent, CAR, STARTS))
    row["updates"] = agent.updates
    if clone:
        row |= losses_of(agent)
    elif isinstance(agent, DDPGfDAgent):
        row["demo_share"] = round(sum(agent.history.losses["demo_share"][-50:]) / 50, 3)
    if (arm, seed) in KEPT:
        row["networks"] = networks_of(agent, "actor", "critic")
    return row
