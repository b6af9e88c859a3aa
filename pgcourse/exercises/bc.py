"""Checks of the exercises of chapter 07, learning from demonstrations."""

import io
import math
import pickle
import pickletools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from pgcourse import BCAgent, make_env
from pgcourse.exercises.ddpg import array, attempt, close
from pgcourse.exercises.grading import call, expect, number, right

# 1 to 4: numbers and pictures.


def check_cloning_loss(by_n: Any, by_passing: Any) -> None:
    """Grade the loss of four demonstrations of which one passes, at squared distance 2."""
    by_n, by_passing = number("by_n", by_n), number("by_passing", by_passing)
    swapped = close(by_n, by_passing * 4)
    expect(not (swapped and close(by_n, 2)), "You have swapped the two: Eq. 2 divides by N_D.")
    expect(not close(by_n, 8), "Three of the rows are masked; they add nothing to the sum.")
    expect(not close(by_n, math.sqrt(2) / 4), "The distance is squared already: no root is taken.")
    expect(close(by_n, 1 / 2), f"By Eq. 2 the sum is 2, and N_D is 4; yours is {by_n:g}.")
    expect(close(by_passing, 2), f"One row passes: divide the sum by 1; yours is {by_passing:g}.")
    right("Divided by the rows that pass, the loss would grow as fewer of them pass.")


def check_share(expected: Any, none: Any) -> None:
    """Grade the expected number of rewarded rows in a batch, and the chance of none."""
    expected, none = number("expected", expected), number("none", none)
    share = 10 / 1_064
    expect(not close(expected, share), "That is the share of the rows; a batch has 128 of them.")
    expect(not close(expected, 256 * share), "Only the demonstrated half of a batch counts: 128.")
    expect(abs(expected - 128 * share) < 0.02, f"expected should be near 1.2; yours is {expected}.")
    expect(not close(none, share), "That is the chance that one row is rewarded.")
    expect(
        not close(none, 1 - (1 - share) ** 128, 1e-2), "That is the chance of at least one of them."
    )
    expect(
        abs(none - (1 - share) ** 128) < 0.02,
        f"All 128 rows must miss, independently of each other; yours is {none:g}.",
    )
    right("So in most updates the critic sees the reward, and in three of ten it does not.")


def check_pass_rates(saboteur: Any, update: Any, rates: dict[str, list], updates: list) -> None:
    """Grade which curve is the saboteur's, and from when on the two are 0.3 apart."""
    expect(saboteur is not ..., "saboteur has no answer yet.")
    expect(saboteur in rates, f"saboteur should be one of {sorted(rates)}; got {saboteur!r}.")
    lower = min(rates, key=lambda name: rates[name][-1])
    expect(saboteur == lower, "A critic that has learned drops the rows of the one who does harm.")
    update = number("update", update)
    apart = np.abs(np.subtract(*rates.values()))
    first = updates[int(np.argmax(apart >= 0.3))]
    expect(
        update != updates[int(np.argmax(apart >= 0.1))],
        "There the curves begin to part; read off where they are 0.3 apart.",
    )
    expect(update == first, f"At update {update:g} they are not (or long have been) 0.3 apart.")
    right("The filter needs a critic that has seen rewards. Before that it guesses.")


# 5 to 7: functions.


def check_margin_filter(answer: Callable) -> None:
    """Grade a Q-filter with a margin."""
    demo_q, policy_q = torch.tensor([3.0, 2.0, 1.0, -1.0]), torch.tensor([1.0, 1.5, 2.0, -1.5])
    demo_q.requires_grad_()
    policy_q.requires_grad_()
    mask = call(answer, demo_q, policy_q, 0.0)
    expect(isinstance(mask, torch.Tensor), f"Return a tensor; got {type(mask).__name__}.")
    expect(not mask.requires_grad, "Your mask carries a gradient; the filter is data.")
    found = array("margin_filter", mask, (4,))
    expect(mask.dtype == torch.float32, f"Return float32, 1.0 or 0.0; yours is {mask.dtype}.")
    expect(
        not np.array_equal(found, [0, 0, 1, 0]), "Yours keeps the rows that the policy does better."
    )
    expect(np.array_equal(found, [1, 1, 0, 1]), f"With margin 0 it is Eq. 3; yours gives {found}.")
    found = array("margin_filter", call(answer, demo_q, policy_q, 1.0), (4,))
    expect(not np.array_equal(found, [1, 1, 0, 1]), "Your filter does not depend on the margin.")
    expect(
        not np.array_equal(found, [1, 1, 1, 1]),
        "A margin makes the filter stricter; yours lets more rows through.",
    )
    expect(np.array_equal(found, [1, 0, 0, 0]), f"With margin 1 only row 0 passes; yours {found}.")
    edge = call(answer, torch.tensor([2.0]), torch.tensor([1.0]), 1.0)
    expect(float(edge[0]) == 0.0, "A row exactly at the margin is not above it.")
    right("A margin asks the critic to be sure before the teacher is copied.")


def check_weighted_loss(answer: Callable) -> None:
    """Grade a cloning loss with a weight for each row."""
    action = torch.tensor([[3.0, 4.0], [2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    shown, ones = torch.zeros(3, 2), torch.ones(3)
    mask = torch.tensor([1.0, 1.0, 0.0])
    loss = call(answer, action, shown, mask, ones)
    expect(isinstance(loss, torch.Tensor), f"Return a tensor (); got {type(loss).__name__}.")
    expect(loss.requires_grad, "Your loss has no gradient; the actor could not learn from it.")
    found = float(array("weighted_bc_loss", loss, ()))
    hints = {29 / 2: "Yours divides by the rows that pass, not by N_D.",
             29 / 6: "Yours averages over the numbers of an action; sum them.",
             30 / 3: "Yours ignores the mask.", 29: "Divide by N_D."}  # fmt: skip
    for value, hint in hints.items():
        expect(not close(found, value), hint)
    expect(close(found, 29 / 3), f"With equal weights it is Eq. 2, 29/3 = 9.67; yours {found:.2f}.")
    same = number("the loss", call(answer, action, shown, mask, 7 * ones))
    expect(
        close(same, 29 / 3), "Seven times all weights should change nothing: divide by the mean."
    )
    found = number("the loss", call(answer, action, shown, mask, torch.tensor([2.0, 0.0, 1.0])))
    expect(
        close(found, 50 / 3),
        f"Weights 2, 0, 1 have the mean 1, so the loss is 2 · 25 / 3 = 16.67; yours {found:.2f}.",
    )
    empty = number("the loss", call(answer, action, shown, torch.zeros(3), ones))
    expect(empty == 0.0, "If nothing passes, the loss is exactly 0.")
    zero = number("the loss", call(answer, action, shown, mask, torch.zeros(3)))
    expect(zero == 0.0, f"If all weights are 0, the loss is exactly 0; yours is {zero}.")
    right("Weights can say how much each teacher is trusted.")


def rows(rewards: Iterable[Iterable[float]], ends: Iterable[bool]) -> list[tuple]:
    """Return transitions of episodes with these rewards; an end that is False was a time limit."""
    found, place = [], 0.0
    for episode, terminated in zip(rewards, ends, strict=True):
        episode = list(episode)
        for k, reward in enumerate(episode):
            last = k == len(episode) - 1
            found.append(([place], [0.0], reward, [place + 1], terminated and last))
            place += 1
        place += 10  # the next episode starts somewhere else
    return found


def check_episode_returns(answer: Callable) -> None:
    """Grade the returns of the episodes in a list of transitions."""
    both = rows([[1, 2, 3], [10], [100, 200]], [True, True, True])
    found = list(attempt("episode_returns", answer, both))
    expect(len(found) > 0 or not both, "Your list is empty.")
    expect(len(found) != 2, "The last episode is missing.")
    expect(
        not close(sum(found), 316) or len(found) == 3, f"Three episodes; yours has {len(found)}."
    )
    expect(
        len(found) == 3 and close(found, [6, 10, 300]), f"The returns are 6, 10, 300; got {found}."
    )
    cut = rows([[1, 2, 3], [10, 20], [5]], [False, True, False])
    found = list(attempt("episode_returns", answer, cut))
    expect(
        not close(sum(found), 41) or len(found) == 3,
        f"An episode that a time limit truncated ends where the next row starts elsewhere: three "
        f"episodes; yours has {len(found)}.",
    )
    expect(len(found) == 3 and close(found, [6, 30, 5]), f"The returns are 6, 30, 5; got {found}.")
    expect(list(attempt("episode_returns", answer, [])) == [], "No transitions, no episodes.")
    right("terminated alone does not tell where episodes end.")


# 8 and 12: agents.


def bc_agent(kind: type, env: Any = None, **options: Any) -> BCAgent:
    """Return a small agent of a learner's class; a hint if that fails."""
    expect(
        isinstance(kind, type) and issubclass(kind, BCAgent) and kind is not BCAgent,
        "Derive your class from BCAgent.",
    )
    env = make_env("Pendulum-v1") if env is None else env
    rng, size = np.random.default_rng(1), env.observation_space.shape[0]
    demo = [
        (rng.uniform(-0.05, 0.05, size).tolist(), [0.5], -1.0, [0.0] * size, False)
        for _ in range(30)
    ]
    options = {"demo": demo, "initial_random_steps": 10, "seed": 0, "q_filter": False} | options
    return attempt(f"{kind.__name__}(...)", kind, env, 500, 16, 8, 1.0, 0.1, **options)


def check_fading(kind: type) -> None:
    """Grade an agent whose lambda2 fades to 0 over its first 1,000 steps."""
    agent = bc_agent(kind, lambda1=0.0, lambda2=2.0)
    agent.train(20, plotting_interval=0)
    batch = agent.sample()
    found = {}
    for step in (0, 250, 500, 1_000, 1_500):
        agent.total_steps = step
        loss, parts = attempt("actor_objective", agent.actor_objective, batch)
        found[step] = loss.item()
        expect({"actor_loss", "bc_term"} <= set(parts), "Return the loss and BCAgent's record.")
    expect(found[0] > 0, "At step 0 the cloning term should have its full weight; yours is 0.")
    shares = {step: value / found[0] for step, value in found.items()}
    expect(
        not close(shares[500], 1), "The weight does not change: it has to depend on total_steps."
    )
    expect(shares[1_500] >= -1e-6, "After step 1,000 your weight becomes negative; stop at 0.")
    expect(
        not close(shares[500], 0.125, 1e-2) and not close(shares[500], 0.375, 1e-2),
        "Your weight shrinks from call to call; compute it from the first one and total_steps.",
    )
    expect(close(shares[250], 0.75, 1e-3), f"At step 250 it is 3/4; yours is {shares[250]:.3f}.")
    expect(close(shares[500], 0.5, 1e-3), f"At step 500 it is 1/2; yours is {shares[500]:.3f}.")
    expect(abs(shares[1_000]) < 1e-6, f"At step 1,000 it is 0; yours is {shares[1_000]:.3f}.")
    agent.total_steps = 0
    again = agent.actor_objective(batch)[0].item()
    expect(close(again, found[0]), "Asked for step 0 again, your agent gives another loss.")
    with torch.no_grad():
        gap = agent.actor(batch.obs[-8:]) - batch.action[-8:]
    expect(close(again, 2.0 * gap.square().sum().item() / 8), "At step 0 it is not Eq. 4.")
    right("A teacher who leaves in time cannot hold the student back.")


def check_demo_resets(kind: type) -> None:
    """Grade an agent that starts half of its episodes from a demonstrated state of the car."""
    agent = bc_agent(kind, env=make_env("MountainCarContinuous-v0"))
    shown = agent.demo_memory.data.obs[:30]
    starts, worlds = [], []
    for _ in range(200):
        starts.append(np.array(attempt("reset", agent.reset), dtype=np.float64))
        worlds.append(np.array(agent.env.unwrapped.state, dtype=np.float64))
    starts, worlds = np.array(starts), np.array(worlds)
    expect(
        starts.shape == (200, 2), f"reset returns the first obs, (2,); yours {starts.shape[1:]}."
    )
    expect(
        np.allclose(starts, worlds, atol=1e-5),
        "The obs that you return is not the state of the environment: set env.unwrapped.state.",
    )
    expect(
        agent.obs is not None and np.allclose(agent.obs, starts[-1]),
        "agent.obs is not the obs that you return: the first transition would be wrong.",
    )
    from_demo = np.array([np.abs(shown - start).sum(axis=1).min() < 1e-5 for start in starts])
    expect(from_demo.any(), "No episode starts from a demonstrated obs.")
    expect(
        not from_demo.all(), "Every episode starts from a demonstrated obs; half of them should."
    )
    expect(
        0.35 < from_demo.mean() < 0.65,
        f"{from_demo.mean():.0%} start from one; half of them should.",
    )
    different = len(np.unique(np.round(starts[from_demo], 6), axis=0))
    expect(different > 15, f"Only {different} of 30 demonstrated states are used; draw among all.")
    again = bc_agent(kind, env=make_env("MountainCarContinuous-v0"))
    repeated = np.array([again.reset() for _ in range(20)])
    expect(
        np.allclose(repeated, starts[:20]),
        "Two agents with one seed start differently: draw with the agent's own stream, self.rng.",
    )
    attempt("train", agent.train, 30, plotting_interval=0)
    right("From a state near the goal a random walk finds the reward, and the critic hears of it.")


# 9: a file from a stranger.


class Trap:
    """Calls something when it is unpickled."""

    loaded: list = []  # noqa: RUF012  # a note of every call, shared on purpose

    def __reduce__(self) -> tuple:
        return spring, ()


def spring() -> None:
    """Note that a trap was sprung."""
    Trap.loaded.append(True)


class Plain:
    """An object without a trap; its class is looked up all the same."""


def check_opcodes(answer: Callable) -> None:
    """Grade a function that names the opcodes by which a pickle could call something."""
    Trap.loaded.clear()
    traps = [pickle.dumps(Trap(), protocol) for protocol in range(5)]
    for protocol, data in enumerate(traps):
        found = set(call(answer, data))
        expect(not Trap.loaded, "Your function loads the file. By then it is too late.")
        names = {opcode.name for opcode, *_ in pickletools.genops(io.BytesIO(data))}
        expect("REDUCE" in found, f"Protocol {protocol}: REDUCE calls a function; yours misses it.")
        expect(
            found & {"GLOBAL", "STACK_GLOBAL"},
            f"Protocol {protocol}: GLOBAL and STACK_GLOBAL import something; yours has neither.",
        )
        expect(found <= names, f"{sorted(found - names)} do not stand in this file.")
        harmless = found & {"PROTO", "STOP", "MARK", "TUPLE", "EMPTY_TUPLE", "BINPUT", "MEMOIZE"}
        expect(not harmless, f"{sorted(harmless)} call nothing.")
    found = set(call(answer, pickle.dumps(Plain(), 2)))
    expect("NEWOBJ" in found, "NEWOBJ makes an object of a class; yours misses it.")
    found = set(call(answer, b"(cos\nsystem\n(S'x'\no."))
    expect("OBJ" in found, "OBJ calls a class as well; yours misses it.")
    found = set(call(answer, b"(S'x'\nios\nsystem\n."))
    expect("INST" in found, "INST names a class and calls it in one go; yours misses it.")
    honest = pickle.dumps([([0.1, 0.2], [1.0], -1.0, [0.2, 0.3], False)] * 3)
    found = set(call(answer, honest))
    expect(not found, f"Lists, tuples, floats and bools call nothing; yours names {sorted(found)}.")
    right("A file without these opcodes can only build plain data.")


# 10: an experiment.


def check_seeds_needed(half_widths: Callable, seeds_needed: Callable) -> None:
    """Grade the half-widths of paired and unpaired intervals, and the seeds that are needed."""
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 10, 40)
    a, b = luck + rng.normal(2, 1, 40), luck + rng.normal(0, 1, 40)
    found = tuple(call(half_widths, a, b))
    expect(len(found) == 2, f"Return (paired, unpaired); yours has {len(found)} numbers.")
    paired, unpaired = (number("a half-width", value) for value in found)
    right_paired = 1.96 * (a - b).std(ddof=1) / np.sqrt(40)
    right_unpaired = 1.96 * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 40)
    expect(
        not (close(paired, right_unpaired, 0.03) and close(unpaired, right_paired, 0.03)),
        "You have swapped the two: pairing makes the interval narrower here.",
    )
    expect(
        not close(paired, right_paired * np.sqrt(40), 0.03),
        "That is the spread of one difference; the mean of n of them is known better by √n.",
    )
    expect(
        close(paired, right_paired, 0.03),
        "Paired: 1.96 · deviation of the differences / √n, "
        f"here {right_paired:.3f}; yours {paired:.3f}.",
    )
    expect(
        close(unpaired, right_unpaired, 0.03),
        f"Unpaired: the variances add: {right_unpaired:.3f}; yours {unpaired:.3f}.",
    )
    differences = np.array([1.0, 3.0, 2.0, 4.0, 0.0, 2.0])  # deviation √2
    for gap, wanted in ((1.0, 8), (0.5, 31), (4.0, 1)):
        needed = number("seeds_needed", call(seeds_needed, differences, gap))
        expect(
            not close(needed, 1.96 * np.sqrt(2) / gap, 0.02), "n stands under a root: square it."
        )
        expect(needed == int(needed), "A number of seeds is a whole number: round up.")
        expect(needed != wanted - 1, "Round up: with one seed fewer the interval is too wide.")
        expect(
            needed == wanted, f"For a half-width of {gap:g} it takes {wanted}; yours {needed:g}."
        )
    right("Pairing by seed saves seeds when luck is shared, and costs nothing.")


# 11: hindsight.


def check_relabel(answer: Callable) -> None:
    """Grade `future` relabelling of one episode."""
    reached = np.array([[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]], dtype=np.float64)

    def reward_fn(after: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return np.where(np.all(after == goal, axis=-1), 0.0, -1.0)

    seen = []
    for seed in range(40):
        found = attempt(
            "relabel", answer, reached.copy(), reward_fn, 3, np.random.default_rng(seed)
        )
        expect(found is not None and found is not ..., "relabel returns nothing yet.")
        expect(len(found) == 3, "Return (steps, goals, rewards).")
        steps = array("steps", found[0], (12,)).astype(int)
        goals, rewards = array("goals", found[1], (12, 2)), array("rewards", found[2], (12,))
        expect(
            np.array_equal(np.bincount(steps, minlength=4), [3, 3, 3, 3]),
            "Each of the four steps should come k = 3 times.",
        )
        for step, goal, reward in zip(steps, goals, rewards, strict=True):
            places = [k for k in range(5) if np.array_equal(reached[k], goal)]
            expect(places, f"Goal {goal} was never reached in this episode.")
            expect(
                places[0] > step,
                f"Step {step} goes from place {step} to place {step + 1}, but its goal is place "
                f"{places[0]}: a future goal comes after the step.",
            )
            wanted = float(reward_fn(reached[step + 1], goal))
            expect(
                reward == wanted,
                f"Step {step} reaches {reached[step + 1]}, the goal is {goal}: its reward is "
                f"{wanted:g}, not {reward:g}. Recompute it for the new goal.",
            )
            seen.append((step, places[0]))
    counts = {pair: seen.count(pair) for pair in set(seen)}
    missing = {(s, p) for s in range(4) for p in range(s + 1, 5)} - set(counts)
    expect(
        not missing - {(s, s + 1) for s in range(4)},
        "Some later places are never drawn: every place after the step should have its chance.",
    )
    expect(not missing, "The place that a step itself reaches is a future goal, too.")
    first = [counts[0, p] for p in range(1, 5)]
    expect(max(first) < 2.2 * min(first), f"For step 0 the draws are uneven: {first}.")
    found = attempt("relabel", answer, reached[:2], reward_fn, 2, np.random.default_rng(0))
    expect(close(found[2], [0, 0]), "An episode of one step: its only goal is where it got to.")
    one, two = (attempt("relabel", answer, reached, reward_fn, 3, np.random.default_rng(1))
                for _ in range(2))  # fmt: skip
    expect(np.array_equal(one[1], two[1]), "Draw with the rng that you are given.")
    right("Every failure is a success at something.")
