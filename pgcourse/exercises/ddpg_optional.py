"""Checks of the optional exercises of chapter 03."""

import copy
import dis
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import numpy as np
import torch

from pgcourse import Batch, Critic, DDPGAgent, OUNoise, ReplayBuffer, td_target
from pgcourse.agents.off_policy import descend
from pgcourse.exercises.ddpg_kit import array, attempt, close, flat, make, rows
from pgcourse.exercises.ddpg_update import NETWORKS, drawn, explain, twin
from pgcourse.exercises.grading import call, expect, fresh, lock, number, right


def check_pictures(answer: Any, counts: dict) -> None:
    """Check which agent made which histogram: answer maps a kind to a letter of counts."""
    kinds = ("saturating warm-up", "large init_w", "biased noise", "white noise")
    last = {letter: heights[-1] for letter, heights in counts.items()}
    given = {"A": 99, "B": 183, "C": 322, "D": 0}
    expect(last == given, "counts is no longer what the notebook drew: run its cell again.")
    expect(isinstance(answer, dict) and set(answer) == set(kinds), f"answer needs keys {kinds}.")
    for kind in kinds:
        letter = answer[kind]
        expect(letter is not ... and letter is not None, f"{kind!r} has no answer yet.")
        expect(
            str(letter) in counts, f"{kind!r}: answer with a letter, one of {', '.join(counts)}."
        )
    expect(len(set(answer.values())) == 4, "Each picture belongs to one kind.")
    middle = np.linspace(-0.9, 0.9, 10)
    for kind in ("biased noise", "white noise", "saturating warm-up", "large init_w"):
        letter = answer[kind]
        share = np.asarray(counts[letter]) / np.sum(counts[letter])
        mean, ends, inner = middle @ share, share[0] + share[-1], share[1:-1]
        if kind == "biased noise":
            expect(ends < 0.5, f"{letter} is full at its ends: adding noise near 0 can't do that.")
            expect(mean > 0.3, f"{letter} has mean {mean:.1f}. Biased noise pushes one way.")
        elif kind == "white noise":
            expect(
                ends < 0.2, f"{letter} is full at its ends; a new actor plus small noise is not."
            )
            expect(abs(mean) < 0.1, f"{letter} has mean {mean:.1f}; white noise has mean 0.")
        elif kind == "saturating warm-up":
            flat_inside = inner.std() < 0.3 * inner.mean()
            expect(
                flat_inside and 0.4 < ends < 0.75,
                f"{letter}: uniform in ±2 and clipped, the actions within ±1 stay uniform, "
                "and half of all go to the two ends alike.",
            )
        else:
            expect(ends > 0.75, f"{letter}: tanh of large numbers is nearly always ±1.")
    right("A histogram of the actions shows each of these mistakes at once.")


def check_ou_next(ou_next: Callable) -> None:
    """Check one step of the noise with a time step dt."""

    def step(n: float, mu: float, theta: float, sigma: float, dt: float, push: float) -> float:
        answer = call(ou_next, np.array([n, n]), mu, theta, sigma, dt, np.array([push, push]))
        return float(array("ou_next", answer, (2,))[0])

    push = step(0.0, 0.0, 0.0, 1.0, 0.25, 1.0)
    expect(not close(push, 1.0), "The push does not depend on dt yet.")
    expect(
        not close(push, 0.25),
        "A push of σ dt ε: its variance shrinks with dt², so four quarter steps push less than "
        "one whole step. The variance should be proportional to dt.",
    )
    expect(not close(push, 2.0), "You divide by √dt: shorter steps should push less.")
    expect(close(4 * push**2, 1.0), f"θ = 0, σ = 1, dt = 0.25, ε = 1: the push is {push:g}.")
    pull = step(8.0, 0.0, 0.5, 0.0, 0.5, 0.0)
    expect(not close(pull, 4.0), "The pull does not depend on dt yet.")
    expect(not close(pull, 8 * 0.5**0.5), "(1 − θ)^dt: the pull should be proportional to dt.")
    expect(not close(pull, 8 * np.exp(-0.25)), "exp(−θ dt): the pull should be proportional to dt.")
    expect(not close(pull, 10.0), "The pull goes the wrong way: towards μ, not away from it.")
    expect(
        close(8 - pull, (8 - step(8.0, 0.0, 0.5, 0.0, 1.0, 0.0)) / 2),
        f"In half the time the pull should be half as long: from 8 you get to {pull:g}.",
    )
    noise = OUNoise(2, mu=0.3, theta=0.2, sigma=0.5, seed=1)
    draws, state = np.random.default_rng(1), np.full(2, 0.3)
    for _ in range(3):
        state = array(
            "ou_next",
            call(ou_next, state, 0.3, 0.2, 0.5, 1.0, draws.standard_normal(2)),
            (2,),
        )
        wanted = noise.sample()
        expect(close(state, wanted), f"With dt = 1 it should be Eq. 5: {wanted}, not {state}.")
    rng = fresh()
    for size in (1, 4):
        old, epsilon = rng.normal(-2, 3, size), rng.normal(size=size)
        mu, theta, sigma, dt = rng.uniform([0.5, 0.2, 0.4, 0.2], [1.5, 0.6, 0.8, 0.7]).tolist()
        pull, push = theta * dt * (mu - old), sigma * dt**0.5 * epsilon
        case = f"μ = {mu:.2f}, θ = {theta:.2f}, σ = {sigma:.2f}, dt = {dt:.2f}"
        y = array("ou_next", call(ou_next, old, mu, theta, sigma, dt, 0 * epsilon), (size,))
        expect(
            close(y, old + pull),
            f"{case}, no push: the pull should be proportional to dt, and to the way from each "
            "number of the noise to μ.",
        )
        y = array("ou_next", call(ou_next, old, mu, theta, sigma, dt, epsilon), (size,))
        expect(
            close(y, old + pull + push),
            f"{case}: the push should depend on σ, dt and each number's own ε alone.",
        )
    right("Halve the time step, and the noise hardly changes in seconds.")


def check_large_actor(kind: type) -> None:
    """Check an agent whose actor starts with a large last layer."""
    for seed in (1, 0):
        agent, usual = make(kind, seed), make(DDPGAgent, seed)
        last = agent.actor.net[-1]
        largest = last.weight.abs().max().item()
        expect(
            largest > 0.01,
            f"The last layer of the actor still starts in ±{largest:.3f}: it is the old one.",
        )
        expect(
            2.5 < largest <= 3.0, f"The last layer should start in ±3; yours is in ±{largest:.2f}."
        )
        expect(
            last.weight.min() < -2 and last.weight.max() > 2 and last.weight.abs().median() > 0.5,
            "The last layer should be spread over all of ±3.",
        )
        expect(0.01 < last.bias.abs() <= 3.0, "The bias of the last layer should start in ±3, too.")
        expect(
            [p.shape for p in agent.actor.parameters()]
            == [p.shape for p in usual.actor.parameters()],
            "The new actor should have the layers of the old one, as large as those.",
        )
        below = [p.abs().max() for p in agent.actor.net[:-1].parameters()]
        expect(max(below) < 1, "Only the last layer of the actor starts large.")
        expect(agent.critic.net[-1].weight.abs().max() < 0.01, "Only the actor starts large.")
        check_lists(agent, {"actor", "critic"})
        batch = rows(fresh())
        for name, lr in (("actor", agent.actor_lr), ("critic", agent.critic_lr)):
            check_entries(agent, name, lr)
            wanted, _ = getattr(agent, f"{name}_objective")(batch)
            loss, _ = attempt(f"{name}'s objective", agent.learners[name].objective, batch)
            expect(
                close(loss.detach(), wanted.detach()),
                f'learners["{name}"] goes down another loss: {name}_objective belongs there.',
            )
    obs = torch.randn(2_000, 3, generator=torch.Generator().manual_seed(0))
    action = agent.actor(obs * torch.tensor([1.0, 1.0, 4.0])).detach()
    full, slope = (action.abs() > 0.95).float().mean(), (1 - action**2).mean()
    right(f"{full:.0%} of its actions are beyond ±0.95; the mean slope of tanh is {slope:.2f}.")


def check_lists(agent: Any, names: set) -> None:
    """Check that both lists of an agent have all entries, the critic's before the actor's."""
    for name in ("learners", "followers"):
        expect(names <= set(getattr(agent, name)), f"self.{name} should keep the other entries.")
    order = list(agent.learners)
    expect(
        order.index("critic") < order.index("actor"),
        "self.learners is no longer in its order: in an update the critic learns first.",
    )


def check_entries(agent: Any, name: str, lr: float) -> None:
    """Check a network's slow copy, its learner and its follower."""
    network, slow = getattr(agent, name), getattr(agent, f"{name}_target")
    expect(slow is not network, f"{name}_target is {name} itself: copy it.")
    expect(
        torch.equal(flat(slow), flat(network)),
        f"{name}_target should start as a copy of the new {name}.",
    )
    pairs = zip(slow.parameters(), network.parameters(), strict=True)
    expect(
        not any(p.data_ptr() == q.data_ptr() for p, q in pairs),
        f"{name}_target holds the very weights of {name}: a shallow copy never lags behind.",
    )
    learner, follower = agent.learners[name], agent.followers[name]
    groups = getattr(getattr(learner, "optimizer", None), "param_groups", [])
    expect(len(groups) > 0, f'learners["{name}"] has no optimiser: use self.learner.')
    held = {id(p) for group in groups for p in group["params"]}
    expect(
        learner.network is network and held == {id(p) for p in network.parameters()},
        f'learners["{name}"] should step the weights of the new {name}: make it anew.',
    )
    adam = isinstance(learner.optimizer, torch.optim.Adam)
    expect(adam, f'learners["{name}"] should step with Adam, as the others do.')
    rate = groups[0]["lr"]
    expect(rate == lr, f"{name} should learn at its own rate, {lr:g}; yours is {rate:g}.")
    expect(follower.slow is slow, f'followers["{name}"] should move the new {name}_target.')
    expect(follower.network is network, f'followers["{name}"] should follow the new {name}.')
    often = learner.every == follower.every == 1
    expect(often, f"{name} and {name}_target should move in every update: leave `every` at 1.")


def check_n_step_target(n_step_target: Callable, seed: int | None = None) -> None:
    """Check an n-step target with both flags."""

    def ask(reward, next_q, terminated, truncated, gamma):
        columns = [torch.tensor(x, dtype=torch.float32) for x in (reward, next_q)]
        columns += [torch.tensor(x, dtype=torch.bool) for x in (terminated, truncated)]
        answer = call(n_step_target, *columns, gamma)
        return array("n_step_target", answer, (len(reward),))

    no, rewards, values = [False] * 3, [1.0, 2.0, 4.0], [16.0, 32.0, 64.0]
    (y,) = ask([rewards], [values], [no], [no], 0.5)  # 1 + 2/2 + 4/4 + 64/8
    expect(not close(y, 3.0), "A row that does not end: you forgot to bootstrap.")
    expect(not close(y, 71.0), "A row that does not end: you did not discount, or Q' only.")
    expect(not close(y, 67.0), "A row that does not end: the value is not discounted.")
    expect(not close(y, 19.0), "The value after three steps is discounted by γ³, not by γ².")
    expect(not close(y, 9.0), "This is the one-step target: use all n rewards.")
    expect(not close(y, 5.5), "The first reward is not discounted, the second by γ.")
    expect(
        close(y, 11.0),
        f"Rewards 1, 2, 4, value 64 at the end, γ = 0.5: 1 + 1 + 1 + 8 = 11; yours is {y:g}.",
    )
    second = [False, True, False]
    (y,) = ask([rewards], [values], [second], [no], 0.5)  # 1 + 2/2
    expect(not close(y, 10.0), "Your target still bootstraps through step 1, which terminated.")
    expect(not close(y, 3.0), "Rewards after an end belong to the next episode: they don't count.")
    expect(not close(y, 1.0), "The reward of the step that ends the episode still counts.")
    expect(
        not close(y, 11.0), "Your target takes no notice of an end in the middle of its n steps."
    )
    expect(close(y, 2.0), f"Rewards 1, 2, then a true end, γ = 0.5: 2; yours is {y:g}.")
    (y,) = ask([rewards], [values], [no], [second], 0.5)  # 1 + 2/2 + 32/4
    expect(not close(y, 2.0), "Step 1 was truncated, not terminated: bootstrap there.")
    expect(not close(y, 11.0), "Step 1 was truncated: what follows is another episode.")
    expect(not close(y, 6.0), "Truncated after two steps: discount the value by γ², not γ³.")
    expect(not close(y, 18.0), "Truncated after two steps: discount the value by γ², not γ.")
    expect(
        close(y, 10.0),
        f"Rewards 1, 2, truncated with the value 32, γ = 0.5: 1 + 1 + 8 = 10; yours is {y:g}.",
    )
    (y,) = ask([rewards], [values], [second], [second], 0.5)
    expect(close(y, 2.0), "Terminated and truncated in one step: the true end decides.")
    both = [[False, True, False]], [[True, False, False]]
    (y,) = ask([rewards], [values], *both, 0.5)  # 1 + 16/2
    expect(close(y, 9.0), "Truncated at step 0: an end at step 1 is another episode's.")

    rng = np.random.default_rng(seed)
    for n in (1, 2, 5):
        size, gamma = int(rng.integers(50, 80)), float(rng.uniform(0.6, 1.0))
        reward, next_q = rng.normal(size=(2, size, n))
        terminated, truncated = rng.random((2, size, n)) < 0.15
        y = ask(reward, next_q, terminated, truncated, gamma)
        columns = [torch.tensor(c[:, 0]) for c in (reward, next_q, terminated.astype(float))]
        one = td_target(*columns, gamma).numpy()
        expect(n > 1 or close(y, one), "With n = 1 it should be the one-step target of Eq. 6.")
        stop = terminated[:, 0] | truncated[:, 0]
        expect(close(y[stop], one[stop]), "Where the first step ends, it is Eq. 6.")
        wanted = next_q[:, -1]
        for k in reversed(range(n)):
            follows = np.where(truncated[:, k], next_q[:, k], wanted)
            wanted = reward[:, k] + gamma * ~terminated[:, k] * follows
        expect(
            close(y, wanted),
            f"n = {n}, γ = {gamma:.3f}: the target should be the first reward plus γ times the "
            "target of the remaining steps, where step 0 does not end.",
        )
    right("Rewards up to the first end; a value after it, unless it was a true end.")


def check_sample_windows(sample_windows: Callable) -> None:
    """Check a sampler of n successive rows from a ring, without loops."""
    rng = fresh()
    size = int(rng.integers(8, 13))
    cases = [
        (size - 4, 3), (size, 4), (size + 3, 4), (2 * size + 7, 1), (2 * size + 5, size), (5, 5),
    ]  # fmt: skip
    for stored, n in cases:
        ring = filled_ring(stored, size)
        case = f"stored {stored}, size {size}, n {n}"
        batch, seed = int(rng.integers(1_900, 2_100)), int(rng.integers(2**31))
        answer = call(sample_windows, ring, stored, n, batch, np.random.default_rng(seed))
        windows = array(f"sample_windows ({case})", answer, (batch, n, 2))
        time = windows[:, :, 0]
        expect((time >= 0).all(), f"{case}: a window holds a row that was never written.")
        expect(close(windows[:, :, 1], -2 * time), f"{case}: the columns of a row got mixed.")
        step = np.diff(time, axis=1)
        expect(
            not (step < -1).any(),
            f"{case}: a window runs from transition {stored - 1:g} on into the oldest one. "
            "Its rows are neighbours in the array, not in time.",
        )
        expect((step != -1).all() or n == 1, f"{case}: the oldest transition comes first.")
        expect((step == 1).all(), f"{case}: rows of a window should be successive in time.")
        oldest, starts = max(0, stored - size), set(time[:, 0].astype(int).tolist())
        missing = set(range(oldest, stored - n + 1)) - starts
        wraps = {k for k in range(oldest, stored - n + 1) if k % size > size - n}
        expect(
            not missing or missing != wraps,
            f"{case}: no window runs over the end of the array. It may: the ring wraps.",
        )
        expect(stored - n not in missing, f"{case}: the newest window is never drawn.")
        expect(oldest not in missing, f"{case}: the window of the oldest rows is never drawn.")
        expect(
            not missing,
            f"{case}: no window starts at transition {min(missing, default=0)}.",
        )
        count = np.unique(time[:, 0], return_counts=True)[1]
        expected = batch / len(count)
        expect(
            bool((np.abs(count - expected) < 6 * expected**0.5).all()),
            f"{case}: some windows are drawn much more often than others.",
        )
        again = call(sample_windows, ring, stored, n, batch, np.random.default_rng(seed))
        expect(close(again, windows), "Two calls with equal seeds differ: draw from rng.")
        stream = np.random.default_rng(seed + 1)
        for _ in range(2):
            other = attempt("sample_windows", sample_windows, ring, stored, n, batch, stream)
            expect(
                len(starts) == 1 or not close(other, windows),
                "Another seed, or a second call, gives the same windows: draw from rng itself.",
            )
            windows = other
        each = np.ptp(count) > 1 or len(count) < 7  # so equal only if not drawn one by one
        expect(each, f"{case}: draw each window by itself, whatever windows came before it.")
    for batch in (1, 7):
        answer = call(sample_windows, filled_ring(9, 20)[:, :1], 9, 2, batch, stream)
        array("sample_windows (one column)", answer, (batch, 2, 1))
    few, many = (
        work(sample_windows, filled_ring(400, 400), 400, n, batch, stream)
        for n, batch in ((2, 3), (100, 300))
    )
    looped = loops(sample_windows) or many > few + 300
    expect(not looped, "The windows are right. Now without a Python loop.")
    right("Windows that respect time, at the cost of one fancy index.")


def filled_ring(stored: int, size: int) -> np.ndarray:
    """Return a ring, (size, 2), to which transitions k, (k, -2 k), were written."""
    ring = np.full((size, 2), -1.0, np.float32)
    for k in range(stored):
        ring[k % size] = k, -2 * k
    return ring


def work(function: Callable, *arguments: Any) -> int:
    """Return how many steps Python takes in a call: a loop shows, in map or a helper, too."""
    count, tracer = 0, sys.gettrace()

    def trace(frame: Any, event: str, _: Any) -> Callable:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        attempt("sample_windows", function, *arguments)
    finally:
        sys.settrace(tracer)
    return count


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of the comprehensions and functions inside it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes(inner)


def loops(function: Callable) -> bool:
    """Whether a Python function jumps backwards anywhere: for, while, comprehensions."""
    code = getattr(function, "__code__", None)
    steps = [i.opname for c in codes(code) for i in dis.get_instructions(c)] if code else []
    return any("BACKWARD" in step or step == "FOR_ITER" for step in steps)


def check_clipped_target(clipped_target: Callable) -> None:
    """Check a target with the smallest of K values."""

    def ask(reward, next_q, terminated, gamma):
        columns = [torch.tensor(x) for x in (reward, next_q, terminated)]
        return call(clipped_target, *columns, gamma)

    reward, terminated = [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]
    q = [[8.0, 8.0, -4.0], [4.0, 4.0, -8.0]]
    answer = ask(reward, q, terminated, 0.5)
    y = array("clipped_target", answer, (3,))
    expect(not close(y[0], 5.0), "You took the larger value: that is what overestimates.")
    expect(not close(y[0], 4.0), "You took the mean of the critics: take the smallest.")
    expect(not close(y[1], 3.0), "Row 1 terminated: no critic has a say there.")
    expect(not close(y[0], -3.0), "The smallest value of each row, not one for the whole batch.")
    expect(
        not (close(y[2], 3.0) or close(y[2], -1.0)),
        "Row 2: −8 is smaller than −4. No absolute values here.",
    )
    expect(close(y, [3.0, 1.0, -3.0]), f"By hand 3, 1 and −3; yours are {y.tolist()}.")
    y = array("clipped_target", ask([0.0], [[3.0], [9.0], [1.0]], [0.0], 1.0), (1,))
    expect(close(y, [1.0]), "Three critics: the smallest of all K.")
    y = array("clipped_target", ask([0.0, 1.0], [[3.0, 5.0]], [0.0, 0.0], 1.0), (2,))
    expect(close(y, [3.0, 6.0]), "One critic: it should be Eq. 6.")
    rng = fresh()
    for k in (2, 5):
        n, gamma = int(rng.integers(20, 40)), float(rng.uniform(0.3, 0.9))
        reward, q, terminated = rng.normal(size=n), rng.normal(size=(k, n)), rng.random(n) < 0.2
        answer = ask(reward, q, terminated.astype(float), gamma)
        y = array("clipped_target", answer, (n,))
        expect(
            close(y, reward + gamma * ~terminated * q.min(0)),
            f"{k} critics, {n} rows, γ = {gamma:.2f}: Eq. 6 with the smallest of the {k} values of "
            "each row. Which critic is the smallest differs from row to row.",
        )
    graph = torch.ones(2, 3, requires_grad=True)
    arguments = torch.zeros(3), graph, torch.zeros(3), 0.9
    answer = attempt("clipped_target", clipped_target, *arguments)
    expect(not getattr(answer, "requires_grad", False), "The target is data: detach it.")
    right("The most sceptical critic makes the target.")


def check_twin_critics(kind: type) -> None:
    """Check that an agent has a second critic, its slow copy, its learner and its follower."""
    expect(isinstance(kind, type), "Derive from DDPGAgent.")
    second = {"critic2_objective": lambda self, batch: "second"}
    kind = type(kind.__name__, (kind,), second)  # to see which objective is in the list
    agent, other = make(kind), make(kind, seed=1)
    for name in ("critic2", "critic2_target"):
        expect(hasattr(agent, name), f"self.{name} is missing.")
        expect(isinstance(getattr(agent, name), Critic), f"self.{name} should be a Critic.")
    expect(agent.critic2 is not agent.critic, "critic2 is the first critic under another name.")
    pairs = list(zip(agent.critic2.parameters(), agent.critic.parameters(), strict=False))
    expect(
        len(flat(agent.critic2)) == len(flat(agent.critic))
        and all(p.shape == q.shape for p, q in pairs),
        "critic2 should have the layers of the first critic, as large as those.",
    )
    expect(
        not any(torch.allclose(p, q, atol=1e-4) for p, q in pairs if p.ndim > 1),
        "Both critics start with equal weights. On equal batches they would stay equal, and the "
        "smaller of two equal values is no help: make a new Critic.",
    )
    expect(
        not torch.equal(flat(agent.critic2), flat(other.critic2)),
        "An agent with another seed gets the same critic2: set no seed of your own.",
    )
    for name in ("learners", "followers"):
        expect("critic2" in getattr(agent, name), f'self.{name}["critic2"] is missing.')
    check_lists(agent, {"actor", "critic", "critic2"})
    rates = {"critic2": agent.critic_lr, "critic": agent.critic_lr, "actor": agent.actor_lr}
    for name, rate in rates.items():
        check_entries(agent, name, rate)
    batch = rows(fresh())
    found = attempt("critic2's objective", agent.learners["critic2"].objective, batch)
    own = isinstance(found, str) and found == "second"
    expect(own, "critic2 should go down a loss of its own: critic2_objective.")
    right("Two critics that start apart.")


def check_twin_agent(kind: type) -> None:
    """Check the losses and the updates of an agent with clipped double Q."""
    expect("critic2" in make(kind).learners, "Derive from your TwinCritics.")
    rng = fresh()
    agent = twin(kind, (*NETWORKS, "critic2", "critic2_target"), **drawn(rng))
    rival = copy.deepcopy(agent)
    for _ in range(2):
        batch = Batch(*(column.double() for column in rows(rng)))
        losses = {name: check_twin_loss(agent, name, batch) for name in ("critic", "critic2")}
        for name, loss in losses.items():
            grads = torch.autograd.grad(loss, list(getattr(agent, name).parameters()))
            for weight, grad in zip(getattr(rival, name).parameters(), grads, strict=True):
                weight.grad = grad
            rival.learners[name].optimizer.step()
        descend(rival.learners["actor"], -rival.critic(batch.obs, rival.actor(batch.obs)).mean())
        old = copy.deepcopy(agent)
        agent.updates += 1
        losses = attempt("update", agent.update, batch)
        expect(
            isinstance(losses, dict) and {"critic_loss", "critic2_loss", "actor_loss"} <= {*losses},
            "An update should return 'critic_loss', 'critic2_loss' and 'actor_loss', by name.",
        )
        for name in ("critic", "critic2"):
            now = flat(getattr(agent, name))
            expect(not torch.equal(now, flat(getattr(old, name))), f"update: {name} did not move.")
            expect(
                close(now, flat(getattr(rival, name)), 1e-6),
                f"update: {name} is not where a step down its loss leads. Does another loss reach "
                "it, or a gradient of an earlier batch? Zero gradients first, or use descend.",
            )
        expect(
            close(flat(agent.actor), flat(rival.actor), 1e-6),
            "update: the actor is not where a step up critic leads, after critic has learned. It "
            "should go on climbing critic, in every update once.",
        )
        for name in ("actor", "critic", "critic2"):
            check_follows(name, old, agent)
    agent = make(kind)
    attempt("train", agent.train, 60, plotting_interval=0)
    expect("critic2_loss" in agent.history.losses, "Training records no losses.")
    right("Clipped double Q: two critics, one sceptical target.")


def check_twin_loss(agent: Any, name: str, batch: Batch) -> torch.Tensor:
    """Check the loss of one of two critics, and return the right one."""
    answer = attempt(f"{name}_objective", getattr(agent, f"{name}_objective"), batch)
    expect(answer is not None and answer is not ..., f"{name}_objective returns nothing yet.")
    expect(
        isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict),
        f"{name}_objective should return (loss, dict of what to record).",
    )
    expect(f"{name}_loss" in answer[1], f"{name}_objective should record '{name}_loss'.")
    slow, fast = (agent.critic_target, agent.critic2_target), (agent.critic, agent.critic2)

    def values(critics=slow, actor=agent.actor_target, at=batch.next_obs) -> torch.Tensor:
        return torch.stack([critic(at, actor(at)) for critic in critics]).detach()

    def loss(next_q: torch.Tensor, stop: Any = batch.terminated) -> torch.Tensor:
        target = batch.reward + agent.gamma * (1 - stop) * next_q
        return ((getattr(agent, name)(batch.obs, batch.action) - target) ** 2).mean()

    own, other = values() if name == "critic" else values().flip(0)
    slips = {
        "each critic has a target of its own. Both should learn one target: the smaller of the two "
        "slow critics' values, row by row.": own,
        "its target is the other critic's alone; take the smaller value, row by row.": other,
        "you took the larger of both values.": values().amax(0),
        "you took the mean of both values.": values().mean(0),
        "the next action comes from the fast actor; actor_target belongs there.": values(
            actor=agent.actor
        ).amin(0),
        "the target looks at obs; it should look at next_obs.": values(at=batch.obs).amin(0),
        "the target takes the fast critics; their slow copies belong there.": values(fast).amin(0),
    }
    wanted, least = loss(values().amin(0)), values().amin(0)
    slips = {hint: loss(next_q) for hint, next_q in slips.items()}
    slips["nothing follows a true end. Does the bootstrap stop there?"] = loss(least, 0.0)
    explain(name, number(f"{name}'s loss", answer[0]), wanted.item(), slips)
    recorded = number(f"The recorded {name}_loss", answer[1][f"{name}_loss"])
    expect(
        close(recorded, wanted.item()), f"{name}_objective records another number than its loss."
    )
    return wanted


def check_follows(name: str, old: Any, agent: Any) -> None:
    """Check that one slow copy has covered tau of its way in an update of an agent."""
    slow, now = (flat(getattr(each, f"{name}_target")) for each in (old, agent))
    way = flat(getattr(agent, name)) - slow
    covered = (((now - slow) @ way) / (way @ way)).item()
    expect(covered != 0.0, f"{name}_target did not move: Eq. 9 is for it, too.")
    twice = abs(covered / agent.tau - (2 - agent.tau)) < 0.01
    expect(not twice, f"{name}_target moved by {covered:.3f} of the way: is it moved twice?")
    expect(
        abs(covered / agent.tau - 1) < 0.01,
        f"{name}_target covered {covered:.3f} of the way; τ is {agent.tau:g}.",
    )


def check_priorities(probabilities: Callable, importance_weights: Callable) -> None:
    """Check the two formulas of prioritised sampling."""
    p = array("probabilities", call(probabilities, np.array([1.0, 4.0, 16.0]), 0.5), (3,))
    expect(not close(p, [1 / 21, 4 / 21, 16 / 21]), "You left α out: here it is 0.5.")
    expect(not close(p, [1.0, 2.0, 4.0]), "Divide by the sum: probabilities add up to 1.")
    expect(
        not close(p, (np.array([1.0, 4.0, 16.0]) / 21) ** 0.5),
        "The power comes first, then the division: yours do not add up to 1.",
    )
    expect(
        close(p, [1 / 7, 2 / 7, 4 / 7]),
        f"Priorities 1, 4, 16, α = 0.5: roots 1, 2, 4, of 7; yours are {p.round(3).tolist()}.",
    )
    p = array("probabilities", call(probabilities, np.array([3.0, 1.0, 2.0]), 0.0), (3,))
    expect(close(p, 1 / 3), "α = 0 should be uniform sampling.")
    p = array("probabilities", call(probabilities, np.array([3.0, 1.0]), 1.0), (2,))
    expect(close(p, [0.75, 0.25]), "α = 1 should be proportional to the priorities.")

    drawn = np.array([0.25, 0.5, 0.5, 0.125])
    w = array("importance_weights", call(importance_weights, drawn, 4, 1.0), (4,))
    expect(w.max() <= 1.0 + 1e-6, "The largest weight should be 1: divide by it.")
    expect(
        not close(w, drawn / drawn.max()), "Rows that are drawn often get small weights, not large."
    )
    expect(not close(w.sum(), 1.0), "Divide by the largest weight, not by the sum.")
    expect(
        close(w, [0.5, 0.25, 0.25, 1.0]),
        f"β = 1, P = {drawn.tolist()}: weights in proportion to 1 / P, the largest 1; "
        f"yours are {w.round(3).tolist()}.",
    )
    w = array("importance_weights", call(importance_weights, drawn, 4, 0.0), (4,))
    expect(close(w, 1.0), "β = 0 corrects nothing: all weights are 1.")
    w = array("importance_weights", call(importance_weights, drawn[[3, 0]], 5, 0.5), (2,))
    expect(close(w**2, [1.0, 0.5]), "β = 0.5: the weights are (N P) to the power −β.")
    rng = fresh()
    priority, drawn = rng.uniform(0.2, 5, int(rng.integers(3, 9))), rng.uniform(0.01, 0.3, 6)
    alpha, beta = rng.uniform(0.2, 0.8, 2).tolist()
    p = array("probabilities", call(probabilities, priority, alpha), priority.shape)
    wanted = priority**alpha / (priority**alpha).sum()
    expect(close(p, wanted), f"α = {alpha:.2f}, {len(p)} rows: each priority to the power α first.")
    n = int(rng.integers(10, 100))
    w = array("importance_weights", call(importance_weights, drawn, n, beta), (6,))
    wanted = (drawn / drawn.min()) ** -beta
    expect(close(w, wanted), f"β = {beta:.2f}, N = {n}: (N P) to the power −β, the largest 1.")
    right("Drawn often, weighed little.")


def check_prioritised_buffer(kind: type) -> None:
    """Check a buffer with proportional prioritised sampling."""
    expect(isinstance(kind, type) and issubclass(kind, ReplayBuffer), "Derive from ReplayBuffer.")

    def new(
        size: int = 8, batch: int = 4_000, alpha: float = 1.0, beta: float = 1.0, seed=0
    ) -> Any:
        options = {"seed": seed, "alpha": alpha, "beta": beta}
        buffer = attempt(f"{kind.__name__}(...)", kind, 1, 1, max(size, batch), batch, **options)
        return buffer

    def store(buffer: Any, n: int) -> None:
        for _ in range(n):
            k = float(buffer.stored)
            attempt("store", buffer.store, [k], [-k], k, [k + 0.5], k % 3 == 2)

    def learn(buffer: Any, drawn: list, errors: list) -> None:
        """Give TD errors to rows; batch_size is as large as these."""
        size, buffer.batch_size, buffer.drawn = buffer.batch_size, len(drawn), np.array(drawn)
        given = np.array(errors, dtype=float)
        attempt("update_priorities", buffer.update_priorities, given)
        expect(close(given, errors), "update_priorities changes the TD errors; work on copies.")
        buffer.batch_size = size

    def draw(buffer: Any) -> np.ndarray:
        batch = attempt("sample_batch", buffer.sample_batch)
        expect(batch is not None and batch is not ..., "sample_batch returns nothing yet.")
        expect(isinstance(batch, Batch), "sample_batch should return a Batch.")
        expect(len(batch.reward) == buffer.batch_size, "sample_batch: batch_size rows, please.")
        for name in ("drawn", "weights"):
            expect(hasattr(buffer, name), f"sample_batch should leave self.{name}.")
        rows = array("self.drawn", buffer.drawn, (buffer.batch_size,)).astype(int)
        expect((rows < len(buffer)).all(), "A row was drawn that holds nothing yet.")
        expect(close(batch.reward, buffer.data.reward[rows]), "self.drawn is not what came out.")
        for name, column, data in zip(Batch._fields, batch, buffer.data, strict=True):
            matched = np.shape(column) == data[rows].shape and close(column, data[rows])
            expect(matched, f"{name} of the batch is not that of the rows in self.drawn.")
        return rows

    rng = fresh()
    buffer = new()
    expect(hasattr(buffer, "priority"), "self.priority is missing.")
    array("self.priority", buffer.priority, (buffer.size,))
    store(buffer, 4)
    expect(
        buffer.stored == 4 and buffer.data.reward[3] == 3.0,
        "_write no longer stores the transition: call super()._write(row).",
    )
    expect(close(buffer.priority[:4], 1.0), "The first transitions should get the priority 1.")
    draw(buffer)
    expect(close(buffer.weights, 1.0), "Equal priorities: all weights should be 1.")

    buffer = new()
    store(buffer, 4)
    before = np.array(buffer.priority)
    learn(buffer, [3, 0, 1, 2], [-4.0, 1.0, 0.0, 2.0])
    priority = np.asarray(buffer.priority)
    expect(not close(priority, before), "update_priorities changes nothing yet.")
    expect((priority >= 0).all(), "A TD error of −4 is as surprising as one of 4: use |δ|.")
    expect(
        not close(priority[:3], [4, 1, 0], 0.01),
        "The errors belong to the rows in self.drawn, in that order.",
    )
    expect(close(priority[[3, 0, 2]], [4, 1, 2], 0.011), "The priority should be |δ| + ε.")
    expect(priority[1] > 0, "An error of 0 gives no chance to be drawn again: add a small ε.")
    expect(priority[1] < 2e-6, "ε should be smaller: the text says how small.")

    store(buffer, 1)
    expect(
        close(buffer.priority[4], 4, 0.01),
        f"A new transition gets the largest priority so far, 4; yours {buffer.priority[4]:g}.",
    )
    share = np.bincount(draw(buffer), minlength=5) / 4_000  # of 1, 0, 2, 4, 4
    expect(
        not close(share, 0.2, 0.05), "All rows are drawn equally often: the priorities don't count."
    )
    expect(
        bool((np.abs(share - np.array([1, 0, 2, 4, 4]) / 11) < 0.04).all()),
        f"Priorities 1, 0, 2, 4, 4 and α = 1: 4,000 draws have the shares {share.round(2)}.",
    )
    weights = array("self.weights", buffer.weights, (4_000,))
    drawn = np.asarray(buffer.drawn)
    product = weights * np.asarray(buffer.priority)[drawn]
    expect(not close(weights, 1.0), "self.weights are all 1, though the priorities differ.")
    expect(
        close(product, product[0], 1e-3) and close(weights.max(), 1.0),
        "β = 1: the weights of the drawn rows should be in proportion to 1 / P, the largest 1.",
    )
    alpha, beta = rng.uniform(0.4, 0.7, 2).tolist()
    buffer = new(alpha=alpha, beta=beta)
    store(buffer, 5)
    errors = np.array([1, 3, 9, 9, 27]) * rng.uniform(0.9, 1.1, 5)
    learn(buffer, [4, 3, 2, 1, 0], list(-errors[::-1]))
    expect(
        close(buffer.priority[:5], errors),
        f"α = {alpha:.2f}: self.priority holds |δ| + ε itself; α counts when rows are drawn.",
    )
    drawn = draw(buffer)
    share, wanted = np.bincount(drawn, minlength=5) / 4_000, errors**alpha / (errors**alpha).sum()
    expect(
        bool((np.abs(share - wanted) < 0.05).all()),
        f"α = {alpha:.2f}: 4,000 draws have the shares {share.round(2)}. Use self.alpha.",
    )
    wanted = (wanted[drawn].min() / wanted[drawn]) ** beta
    weights = array("self.weights", buffer.weights, (4_000,))
    expect(close(weights, wanted, 1e-3), f"β = {beta:.2f}: other weights are due. Use self.beta.")
    twins = new(), new(), new(seed=1)
    for each in twins:
        store(each, 50)
    first, second, third = map(draw, twins)
    expect(close(first, second), "Two buffers with one seed differ: draw from self.rng.")
    own = not close(first, third) and not close(first, draw(twins[0]))
    expect(own, "Another seed, or a second draw, gives the same rows: draw from self.rng itself.")
    buffer = new(alpha=0.0)  # 0 to the power 0 is 1
    store(buffer, 4)
    draw(buffer)

    buffer = new(size=3, batch=3, alpha=0.0)
    store(buffer, 3)
    learn(buffer, [0, 1, 2], [5.0, 0.5, 0.3])
    learn(buffer, [0, 1, 2], [0.1, 0.5, 0.3])
    store(buffer, 1)
    expect(buffer.priority[0] > 0.2, "An overwritten row keeps the old transition's priority.")
    expect(
        close(buffer.priority[0], 0.5) or close(buffer.priority[0], 5),  # now, or ever
        f"The largest priority is 0.5, and a new transition gets {buffer.priority[0]:g}.",
    )
    counts = np.zeros(3)
    for _ in range(600):
        counts += np.bincount(draw(buffer), minlength=3)
    expect(counts.min() > 450, f"α = 0 should be uniform; 1,800 draws: {counts.astype(int)}.")
    right("Surprising transitions are drawn more often, and weighed less.")


lock()
