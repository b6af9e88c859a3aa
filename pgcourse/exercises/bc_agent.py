"""Checks of chapter 07's exercises on agents: a teacher who leaves, and starts where he was."""

from typing import Any

import numpy as np
import torch

from pgcourse import BCAgent, make_env
from pgcourse.exercises.ddpg_kit import attempt, close, shake
from pgcourse.exercises.grading import expect, fresh, number, right

RECORD = ("actor_loss", "q_term", "bc_term", "pass_rate")
STEPS = (0, 250, 500, 750, 1_000, 1_500, 1, 130, 400, 999, 1_001, 10_100)


def bc_agent(kind: type, env: Any = None, **options: Any) -> BCAgent:
    """Return a small agent of a learner's class; a hint if that fails."""
    expect(
        isinstance(kind, type) and issubclass(kind, BCAgent) and kind is not BCAgent,
        "Derive your class from BCAgent.",
    )
    return attempt(f"{kind.__name__}(...)", small, kind, env, **options)


def small(kind: type, env: Any = None, **options: Any) -> BCAgent:
    """Return a small agent; without `demo`, it has 30 demonstrated rows."""
    env = make_env("Pendulum-v1") if env is None else env
    rng, size = np.random.default_rng(1), env.observation_space.shape[0]
    rows = [
        (rng.uniform(-0.05, 0.05, size).tolist(), [0.5], -1.0, [0.0] * size, False)
        for _ in range(options.pop("rows", 30))
    ]
    options = {"demo": rows, "initial_random_steps": 10, "seed": 0, "q_filter": False} | options
    return kind(env, 500, 16, 8, 1.0, 0.1, **options)


def check_fading(kind: type) -> None:
    """Grade an agent whose lambda2 fades to 0 over its first 1,000 steps."""
    agents = []
    for options in (
        {"lambda1": 0.5, "lambda2": 0.3, "q_filter": True},
        {"lambda1": 0.2, "q_filter": "soft"},  # lambda2 is left at its default
        {"lambda1": 0.0, "lambda2": 1.5, "q_filter": False},
    ):
        agents.append((bc_agent(kind, **options), small(BCAgent, **options)))
        agents[-1][0].first_step, agents[-1][0].last_step = 300, 5_000  # as in a second training
    for agent, plain in agents:
        plain.train(20, plotting_interval=0)
        for seed, name in enumerate(("actor", "critic")):
            shake(getattr(plain, name), seed)
            getattr(agent, name).load_state_dict(getattr(plain, name).state_dict())
    batches = [mixed(plain) for _, plain in agents]
    check_shares(agents[-1][0], batches[-1], (*STEPS, *fresh().integers(2, 999, 5).tolist()))
    for step in (*STEPS[1:], 500, 0):  # back as well: it depends on the step alone
        for (agent, plain), batch in zip(agents, batches, strict=True):
            check_objective(agent, plain, batch, step)
    attempt("train", agents[0][0].train, 20, plotting_interval=0)
    right("A teacher who leaves in time cannot hold the student back.")


def mixed(agent: BCAgent) -> Any:
    """Return a batch whose demonstrated rows are random, so that a filter passes some of them."""
    batch, rng = agent.sample(), torch.Generator().manual_seed(0)
    rows = slice(-agent.demo_batch_size, None)
    batch.obs[rows] = torch.randn(batch.obs[rows].shape, generator=rng)
    batch.action[rows] = 2 * torch.rand(batch.action[rows].shape, generator=rng) - 1
    return batch


def objective(agent: BCAgent, batch: Any, step: int) -> tuple[torch.Tensor, dict]:
    """Return an agent's loss at a step and what it records; a hint if they are something else."""
    agent.total_steps = step
    found = attempt("actor_objective", agent.actor_objective, batch)
    expect(found is not None and found is not ..., "actor_objective returns nothing yet.")
    pair = isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], dict)
    expect(pair and set(RECORD) <= set(found[1]), "Return the loss and BCAgent's record.")
    expect(isinstance(found[0], torch.Tensor), "The loss should be a tensor ().")
    return found


def check_shares(agent: BCAgent, batch: Any, steps: tuple) -> None:
    """Check which share of the cloning term is left, for an agent whose only term it is."""
    found = {}
    for step in steps:
        loss, record = objective(agent, batch, step)
        found.setdefault(step, loss.item() - number("q_term", record["q_term"]))
    expect(found[0] > 0, "At step 0 the cloning term should have its full weight; yours is 0.")
    shares = {step: value / found[0] for step, value in found.items()}
    expect(
        not close(shares[500], 1), "The weight does not change: it has to depend on total_steps."
    )
    expect(shares[1_500] >= -1e-6, "After step 1,000 your weight becomes negative; stop at 0.")
    expect(
        not close(shares[500], 0.75 * 0.5, 1e-2),
        "Your weight shrinks from call to call; compute it from the first one and total_steps.",
    )
    for step, share in shares.items():
        wanted = max(0.0, 1 - step / 1_000)
        expect(
            abs(share - wanted) < 3e-4,
            f"At step {step:,} the weight is {wanted:g} of the first one; yours is {share:.4f}. "
            "It falls along a straight line, and depends on the step alone.",
        )


def unfiltered(agent: BCAgent, batch: Any) -> float:
    """Return the cloning loss of a batch's demonstrated rows without a filter."""
    rows = slice(-agent.demo_batch_size, None)
    with torch.no_grad():
        gap = agent.actor(batch.obs[rows]) - batch.action[rows]
    return gap.square().sum(dim=1).mean().item()


def check_objective(agent: BCAgent, plain: BCAgent, batch: Any, step: int) -> None:
    """Check the loss at a step against a plain agent's with that step's weight.

    Args:
        plain: has the same networks, and the first lambda2.
    """
    first, given = plain.lambda2, f"made with lambda2 = {plain.lambda2:g}"
    loss, record = objective(agent, batch, step)
    share = max(0.0, 1 - step / 1_000)
    plain.lambda2 = first * share
    wanted, parts = plain.actor_objective(batch)
    plain.lambda2 = first
    q_term, bc_term = parts["q_term"].item(), parts["bc_term"].item()
    value, full = number("the loss", loss), plain.actor_objective(batch)[1]["bc_term"].item()
    raw = q_term / (plain.lambda1 or 1.0)
    at = f"At step {step:,}, {given}, "
    hints = {
        "the policy gradient's term fades, too. Only lambda2 does.": share * (q_term + full),
        "the policy gradient's term is missing.": bc_term,
        "yours starts at 2. It should start where it was set.": 2 * share * full / first + q_term,
        "yours starts at 1. It should start where it was set.": share * full / first + q_term,
        "it fades twice.": share * bc_term + q_term,
        "lambda1 changes as well. Leave it as it was set.": (1 - share) * raw + bc_term,
        "the filter is lost on the way.": share * first * unfiltered(plain, batch) + q_term,
    }
    if not close(value, wanted.item()):
        for hint, slip in hints.items():
            expect(not close(value, slip), at + hint)
    expect(
        close(value, wanted.item()),
        f"{at}the loss of Eq. 3 is {wanted.item():.4f}; yours is {value:.4f}.",
    )
    for name in RECORD:
        noted, due = number(name, record[name]), parts[name].item()
        expect(
            close(noted, due),
            f"{at}the loss is right, but {name} is recorded as {noted:.4f}, and it is {due:.4f}.",
        )
    weights = list(agent.actor.parameters())
    expect(loss.requires_grad, "Your loss has no gradient; the actor could not learn from it.")
    slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    theirs = torch.autograd.grad(wanted, list(plain.actor.parameters()))
    same = all(a is not None and close(a, b) for a, b in zip(slopes, theirs, strict=True))
    expect(same, f"{at}the loss is right, but not its gradient: is a part of it detached?")


def check_demo_resets(kind: type) -> None:
    """Grade an agent that starts half of its episodes from a demonstrated state of the car."""
    n = int(fresh().integers(9, 16))
    agent = bc_agent(kind, env=make_env("MountainCarContinuous-v0"), rows=n)
    shown = agent.demo_memory.data.obs.copy()
    starts = reset(agent, 2_000)
    rows = rows_of(shown, starts)
    from_demo, usual = rows >= 0, starts[rows < 0]
    expect(from_demo.any(), "No episode starts from a demonstrated obs.")
    expect(
        not from_demo.all(), "Every episode starts from a demonstrated obs; half of them should."
    )
    expect(
        0.45 < from_demo.mean() < 0.55,  # a fair coin is out of this once in 100,000 times
        f"{from_demo.mean():.0%} start from one; half of them should.",
    )
    counts = np.bincount(rows[from_demo], minlength=n)
    used = int((counts > 0).sum())
    expect(used == n, f"Only {used} of {n} demonstrated states are used; draw among all.")
    expect(counts.max() < 3 * counts.mean(), "Some demonstrated states are used far more often "
           "than others; each should be equally likely.")  # fmt: skip
    at_rest = (np.abs(usual[:, 0] + 0.5) < 0.1 + 1e-6) & (usual[:, 1] == 0)
    expect(
        at_rest.all() and len(np.unique(usual[:, 0])) > len(usual) / 2,
        "The other episodes should start as usual: where the environment puts the car, each time "
        "elsewhere.",
    )
    again = bc_agent(kind, env=make_env("MountainCarContinuous-v0"), rows=n)
    expect(
        np.allclose(reset(again, 20), starts[:20]),
        "Two agents with one seed start differently: draw with the agent's own stream, self.rng.",
    )
    other = bc_agent(kind, env=make_env("MountainCarContinuous-v0"), rows=n, seed=1)
    order = rows_of(shown, reset(other, 100))
    expect(
        not np.array_equal(order[order >= 0][:20], rows[from_demo][:20]),
        "Agents with different seeds take the same demonstrated states in the same order: draw "
        "with the agent's own stream, self.rng.",
    )
    attempt("train", agent.train, 30, plotting_interval=0)
    expect(
        np.array_equal(shown, agent.demo_memory.data.obs),
        "The demonstrations have changed: work on a copy of the row.",
    )
    right("From a state near the goal a random walk finds the reward, and the critic hears of it.")


def reset(agent: BCAgent, times: int) -> np.ndarray:
    """Return the first obs of so many episodes of the car, (times, 2), and check each start."""
    starts = np.zeros((times, 2))
    for k in range(times):
        agent.score, agent.noise.state = 1.0, np.ones(1)  # as an episode leaves them
        start = attempt("reset", agent.reset)
        expect(start is not None and start is not ..., "reset returns nothing yet.")
        ready = hasattr(agent.env.unwrapped, "state")
        expect(ready, "The environment never starts: call super().reset() first.")
        shape = np.shape(start)
        expect(shape == (2,), f"reset returns the first obs, (2,); yours {shape}.")
        starts[k] = start
        expect(
            np.allclose(starts[k], agent.env.unwrapped.state, atol=1e-5),
            "The obs that you return is not the state of the environment: set env.unwrapped.state.",
        )
        expect(
            agent.obs is not None and np.allclose(agent.obs, starts[k]),
            "agent.obs is not the obs that you return: the first transition would be wrong.",
        )
        expect(
            agent.score == 0 and not agent.noise.state.any(),
            "Some episodes keep the score and the noise of the one before: call super().reset() "
            "in every episode, also in one that starts from a demonstration.",
        )
    return starts


def rows_of(shown: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return which demonstrated row each start is, or -1: (T,)."""
    gaps = np.abs(starts[:, None] - shown).sum(axis=2)
    return np.where(gaps.min(axis=1) < 1e-5, gaps.argmin(axis=1), -1)
