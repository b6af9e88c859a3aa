"""Checks of the exercises of chapter 03, DDPG."""

import dis
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import numpy as np
import torch
from gymnasium import Env
from gymnasium.spaces import Discrete
from torch import nn

from pgcourse import Batch, Critic, DDPGAgent, OUNoise, ReplayBuffer, make_env, td_target
from pgcourse.exercises.grading import call, expect, number, right

GAMMA, LIMIT = 0.99, 20  # of the tables of check_fatal_limit


# What several checks use.


def array(name: str, answer: Any, shape: tuple) -> np.ndarray:
    """Return an answer as a float64 array of a given shape; a hint if it is none."""
    try:
        if isinstance(answer, torch.Tensor):
            answer = answer.detach().cpu()
        found = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        expect(False, f"{name} should return numbers of shape {shape}; got {answer!r}.")
        raise
    expect(found.shape == shape, f"{name} should return shape {shape}; yours is {found.shape}.")
    return found


def close(a: Any, b: Any, gap: float = 1e-4) -> bool:
    """Whether two arrays agree within `gap`."""
    return bool(np.allclose(a, b, rtol=gap, atol=gap))


def attempt(what: str, function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call something of the learner's on the very arguments; a hint if it raises."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        expect(False, f"{what} raised {type(error).__name__}: {error}")
        raise


def make(kind: type, base: type = DDPGAgent, seed: int = 0, **changes: Any) -> Any:
    """Return a small agent of the learner's class; a hint if that fails."""
    expect(isinstance(kind, type) and issubclass(kind, base), f"Derive from {base.__name__}.")
    options = {"initial_random_steps": 50, "seed": seed} | changes
    env = make_env("Pendulum-v1")
    with torch.random.fork_rng(devices=[]):  # one outcome, also if new layers are not seeded
        torch.manual_seed(seed)
        return attempt(f"{kind.__name__}(...)", kind, env, 500, 16, 1.0, 0.1, **options)


def flat(network: nn.Module) -> torch.Tensor:
    """Return all weights of a network in one tensor."""
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


def constant(network: Any, value: float) -> None:
    """Make a network of the course answer `value` everywhere."""
    with torch.no_grad():
        network.net[-1].weight.zero_()
        network.net[-1].bias.fill_(value)


def fill(agent: DDPGAgent, n: int = 64) -> None:
    """Store random transitions in an agent's buffer."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        obs, next_obs = rng.normal(size=(2, agent.obs_dim))
        agent.memory.store(obs, rng.uniform(-1, 1, 1), rng.normal(), next_obs, False)


def one_row(reward: float, terminated: float) -> Batch:
    """Return a batch of one transition of the pendulum, as tensors."""
    columns = ([[1.0, 0.0, 0.0]], [[0.5]], [reward], [[1.0, 0.0, 0.0]], [terminated])
    return Batch(*(torch.tensor(column) for column in columns))


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


# One check for each exercise, in their order.


def check_targets(y_running: Any, y_truncated: Any, y_terminated: Any) -> None:
    """Check three targets for r = -2, Q' = -50, γ = 0.99."""
    reward, next_q, gamma = -2.0, -50.0, 0.99
    names = ("y_running", "y_truncated", "y_terminated")
    answers = (y_running, y_truncated, y_terminated)
    running, truncated, ended = (number(n, y) for n, y in zip(names, answers, strict=True))
    expect(not close(running, reward + next_q), "y_running: you forgot to discount Q' by γ.")
    expect(
        not close(running, gamma * (reward + next_q)),
        "y_running: γ discounts what comes after the step, not the step's own reward.",
    )
    expect(
        close((running - reward) / gamma, next_q),
        f"y_running should be r + γ Q' by Eq. 6; yours is {running:g}.",
    )
    expect(
        not close(truncated, reward),
        "y_truncated: you cut the bootstrap. The time limit stopped our watch, not the pendulum.",
    )
    expect(close(truncated, running), "y_truncated: does Eq. 6 know about the time limit?")
    expect(not close(ended, running), "y_terminated: nothing follows a true end, so d is 1.")
    expect(close(ended, reward), f"y_terminated: put d = 1 into Eq. 6; yours is {ended:g}.")
    right("Only a true end cuts the bootstrap.")


def check_updates(updates: Any, tau: float = 0.005) -> None:
    """Check the number of soft updates that cover 90% of the way."""
    n = number("updates", updates)
    expect(n > 0, "updates should be a positive number.")
    expect(
        not close(n * tau, 0.9),
        "0.9 / τ would be right if every update covered τ of the first distance. "
        "It covers τ of what is left.",
    )
    left = (1 - tau) ** n
    expect(not 0.89 < left < 0.91, "That covers 10% of the way. What is left after 90% of the way?")
    covered = f"After {n:g} updates {100 * (1 - left):.2f}% of the way is covered"
    expect(left < 0.101, f"{covered}: not enough.")
    expect(left > 0.099, f"{covered}: more than 90%.")
    expect(n == round(n), "Updates come in whole numbers: give the first one that reaches 90%.")
    expect(left <= 0.1, f"{covered}: one update is missing.")
    expect((1 - tau) ** (n - 1) > 0.1, f"{covered}, but the update before had reached 90%, too.")
    right(f"{n:g} updates: log(10) / log(2) = 3.3 half-lives.")


def check_read_tau(tau: Any, updates: Any, covered: Any) -> None:
    """Check a tau that was read off a curve: covered (n,) after updates (n,)."""
    value = number("tau", tau)
    half = float(np.interp(0.5, covered, updates))
    expect(value > 0, "tau should be positive.")
    expect(value < 1, "tau is a fraction. Did you give the half-life? Eq. 10 turns it into τ.")
    ratio = value * half
    expect(
        not 0.48 < ratio < 0.54,
        "You divided 0.5 by the half-life. Each update covers τ of what is left, "
        "so the later ones cover less: solve Eq. 10 for τ.",
    )
    expect(
        not 0.93 < ratio < 1.1,
        "1 / τ updates are not the half-life: solve Eq. 10 for τ.",
    )
    drawn = 1 - (1 - value) ** np.asarray(updates)
    worst = int(np.argmax(np.abs(drawn - covered)))
    expect(
        abs(drawn[worst] - covered[worst]) < 0.035,
        f"With your τ the curve is at {drawn[worst]:.2f} after {updates[worst]} updates; "
        f"the picture shows {covered[worst]:.2f}.",
    )
    right(f"Your τ redraws the curve to within {abs(drawn[worst] - covered[worst]):.2f}.")


def check_pictures(answer: Any, counts: dict) -> None:
    """Check which agent made which histogram: answer maps a kind to a letter of counts."""
    kinds = ("saturating warm-up", "large init_w", "biased noise", "white noise")
    expect(isinstance(answer, dict) and set(answer) == set(kinds), f"answer needs keys {kinds}.")
    for kind in kinds:
        letter = answer[kind]
        expect(letter is not ... and letter is not None, f"{kind!r} has no answer yet.")
        expect(letter in counts, f"{kind!r}: answer with a letter, one of {', '.join(counts)}.")
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


def check_newest_rows(newest_rows: Callable) -> None:
    """Check newest_rows(stored, n, size) on real rings."""
    for stored, n, size in ((3, 2, 5), (5, 5, 5), (7, 3, 5), (11, 5, 5), (23, 4, 8), (1, 1, 1)):
        ring = ReplayBuffer(1, 1, size, 1)
        for k in range(stored):
            ring.store([k], [0.0], float(k), [k], False)
        case = f"newest_rows(stored={stored}, n={n}, size={size})"
        answer = array(case, call(newest_rows, stored, n, size), (n,))
        listed = answer.tolist()
        expect(close(answer, answer.round()), f"{case} should hold whole numbers: {listed}.")
        expect((answer >= 0).all(), f"{case} holds a negative row: {listed}. The ring wraps.")
        expect((answer < size).all(), f"{case}: {listed}, but the last row is {size - 1}.")
        steps = ring.data.reward[answer.astype(int)]
        wanted = np.arange(stored - n, stored)
        expect(
            close(steps, wanted) or not close(steps, wanted[::-1]),
            f"{case}: the rows are right, the order is not. The oldest comes first.",
        )
        held = "the oldest" if stored >= size else "nothing yet"
        expect(
            stored % size not in answer or n == size,
            f"{case}: row {stored % size} is the one to be written next, it holds {held}.",
        )
        expect(
            close(steps, wanted),
            f"{case}: your rows {[int(k) for k in listed]} hold transitions "
            f"{steps.astype(int).tolist()}; the newest are {wanted.tolist()}.",
        )
    right("The ring wraps, and so do your rows.")


def check_half_life_update(update: Callable) -> None:
    """Check a soft update of dicts of tensors with a half-life."""
    target = {"w": torch.tensor([[0.0, 8.0]]), "b": torch.tensor([1.0]), "n": torch.tensor(3)}
    source = {"w": torch.tensor([[1.0, 0.0]]), "b": torch.tensor([-1.0]), "n": torch.tensor(7)}
    name = getattr(update, "__name__", "your function")
    for h in (10.0, 1.0, 3.0):
        answer = call(update, target, source, h)
        expect(isinstance(answer, dict), f"{name} should return a dict.")
        expect(set(answer) == set(target), f"{name}: the keys should be {sorted(target)}.")
        expect(all(isinstance(v, torch.Tensor) for v in answer.values()), "Values are tensors.")
        expect(not answer["n"].is_floating_point(), "A counter is no weight: it stays an integer.")
        expect(answer["n"].item() == 7, "A tensor of integers is taken over from the source.")
        moved = [
            (array(k, answer[k], tuple(target[k].shape)) - target[k].numpy())
            / (source[k] - target[k]).numpy()
            for k in ("w", "b")
        ]
        share = float(moved[0].flat[0])
        expect(all(close(m, share) for m in moved), "Every weight moves by the same fraction.")
        left = 1 - share
        expect(
            close(left**h, 0.5) or not close(share**h, 0.5),
            "You keep what should go: the target moves by τ of the distance, and keeps 1 − τ.",
        )
        expect(
            not (close(share, 1 / h)) or close(left**h, 0.5),
            "1 / half_life is not τ: after that many updates 0.37 or less of the way is left.",
        )
        expect(
            close(left**h, 0.5) or not close(share, 0.5 / h),
            "0.5 / half_life is not τ: an update covers a fraction of what is left.",
        )
        expect(
            close(left**h, 0.5) or not close(share, np.log(2) / h),
            "log(2) / half_life is τ for long half-lives only. Solve Eq. 10 exactly.",
        )
        expect(
            close(left**h, 0.5),
            f"half_life {h:g}: after {h:g} updates {left**h:.3f} of the distance is left, not 0.5.",
        )
    right("After half_life updates half of the distance is left, whatever the half-life.")


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
    right("Halve the time step, and the noise hardly changes in seconds.")


def check_plain_adam(kind: type) -> None:
    """Check an agent whose optimisers are plain Adam."""
    plain = make(DDPGAgent)
    if isinstance(kind, type) and issubclass(kind, DDPGAgent):  # first the method alone: the
        plain.__class__ = kind  # constructor works with what it returns
        optimizer = attempt("make_optimizer", plain.make_optimizer, plain.actor, 1e-3)
        expect(
            optimizer is not None and optimizer is not ..., "make_optimizer returns nothing yet."
        )
        expect(
            isinstance(optimizer, torch.optim.Adam),
            f"make_optimizer should return torch.optim.Adam; got {type(optimizer).__name__}.",
        )
    agent = make(kind)
    pairs = (
        ("actor", agent.actor, agent.actor_lr),
        ("critic", agent.critic, agent.critic_lr),
    )
    for name, network, lr in pairs:
        group = agent.learners[name].optimizer.param_groups[0]
        expect(not group["amsgrad"], "This is still AMSGrad.")
        expect(
            group["lr"] == lr,
            f"The {name}'s rate is {group['lr']:g}, not {lr:g}: use the argument lr.",
        )
        expect(
            {id(p) for p in group["params"]} == {id(p) for p in network.parameters()},
            f"The {name}'s optimiser should hold the weights of the network it was given.",
        )
        expect(group["weight_decay"] == 0, "Plain Adam has no weight decay.")
        expect(tuple(group["betas"]) == (0.9, 0.999), "Leave the betas at their defaults.")
    fill(agent)
    attempt("update_model", agent.update_model)
    right("One method decides how both networks are stepped.")


def check_adam_ratio(ratio: Any) -> None:
    """Check the prediction: last step of Adam over last step of AMSGrad."""
    value = number("ratio", ratio)
    sizes = []
    for amsgrad in (False, True):
        weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        adam = torch.optim.Adam([weight], lr=1e-3, amsgrad=amsgrad, fused=True)
        for k in range(21_000):
            weight.grad = torch.full_like(weight, 1.0 if k < 1_000 else 0.01)
            before = weight.item()
            adam.step()
        sizes.append(abs(weight.item() - before))
    measured = sizes[0] / sizes[1]
    expect(not 0.95 < value * measured < 1.05, "Upside down: how many times larger is Adam's step?")
    expect(not 0.95 < value < 1.05, "AMSGrad still remembers the large gradients; Adam does not.")
    expect(
        not close(value, 100.0, 1e-2),
        "100 would be right if the mean of the squares had reached 1 by step 1,000. "
        "With a rate of 0.001 it has not.",
    )
    expect(not 0.9 < value / measured**2 < 1.1, "The step divides by the root of the mean square.")
    expect(
        abs(value / measured - 1) < 0.05,
        f"Measured it is not {value:g}. What is the largest mean of squares after 1,000 "
        "gradients of 1, and what is Adam's after 20,000 of 0.01?",
    )
    right(f"Measured: {measured:.1f} times. AMSGrad's steps shrink when gradients do.")


def check_stationary_sigma(sigma: Any) -> None:
    """Check the σ of white noise that is as wide as the paper's noise."""
    value = number("sigma_white", sigma)
    rng = np.random.default_rng(0)
    state = np.zeros(20_000)
    for _ in range(60):
        state += -0.15 * state + 0.2 * rng.standard_normal(20_000)
    expect(not close(value, state.var(), 0.05), "That is the variance; σ is a standard deviation.")
    expect(not close(value, 0.2), "0.2 is one push. The noise remembers earlier ones and adds up.")
    expect(
        abs(value / state.std() - 1) < 0.02,
        f"20,000 copies of the paper's noise after 60 steps have a deviation of {state.std():.2f}; "
        f"your white noise has {value:.2f}.",
    )
    right(f"20,000 simulated copies agree: {state.std():.2f}.")


def check_warm_up(kind: type) -> None:
    """Check an agent whose random actions are drawn from ±2 and clipped."""
    agent, obs = make(kind, initial_random_steps=2_000), np.array([1.0, 0.0, 0.0], np.float32)
    drawn = [attempt("select_action", agent.select_action, obs) for _ in range(2_000)]
    expect(drawn[0] is not None and drawn[0] is not ..., "select_action returns nothing yet.")
    actions = np.stack([array("select_action", action, (1,)) for action in drawn])[:, 0]
    size = np.abs(actions)
    expect(size.max() <= 1.0, f"An action of {size.max():.2f}: clip it to [-1, 1].")
    share = (size == 1.0).mean()
    expect(share > 0, "No action is saturated: draw from [-2, 2], then clip.")
    expect(abs(share - 0.5) < 0.05, f"{share:.0%} of your actions are saturated.")
    expect(len(np.unique(actions)) > 500, "Inside ±1 the actions should be uniform.")
    expect(abs(actions.mean()) < 0.1, f"Your actions have the mean {actions.mean():.2f}, not 0.")
    twins = [make(kind, seed=3) for _ in range(2)]
    first, second = ([t.select_action(obs) for _ in range(9)] for t in twins)
    expect(close(first, second), "Two agents with one seed differ: draw from self.rng.")
    mine, plain = make(kind, seed=3), make(DDPGAgent, seed=3)
    mine.total_steps = plain.total_steps = 50
    after, wanted = mine.select_action(obs), plain.select_action(obs)
    expect(after is not None and after is not ..., "After the warm-up it returns nothing.")
    expect(
        close(after, wanted),
        "After the warm-up your agent should act as DDPGAgent does: policy plus noise.",
    )
    expect(np.asarray(after).dtype == np.float32, "Actions are float32 after the warm-up.")
    expect(np.asarray(drawn[0]).dtype == np.float32, "Actions are float32: use astype.")
    right("The actions beyond ±1 pile up at the ends.")


def check_warm_up_numbers(share: Any, deviation: Any) -> None:
    """Check the share of saturated actions and the deviation of all."""
    saturated, spread = number("share", share), number("deviation", deviation)
    actions = np.clip(np.random.default_rng(0).uniform(-2, 2, 200_000), -1, 1)
    expect(saturated <= 1, "share is a fraction, from 0 to 1.")
    expect(not close(saturated, 0.25), "share: a quarter is at each end, and there are two.")
    measured = (np.abs(actions) == 1).mean()
    expect(abs(saturated - measured) < 0.01, f"share: measured it is not {saturated:g}.")
    expect(not close(spread, actions.var(), 0.01), "That is the variance. Take its root.")
    expect(not close(spread, 3**-0.5, 0.01), "That is the deviation of uniform actions in [-1, 1].")
    expect(
        not close(spread, 2 * 3**-0.5, 0.01),
        "That is the deviation before clipping, of uniform actions in [-2, 2].",
    )
    expect(
        abs(spread - actions.std()) < 0.01,
        f"deviation: measured it is not {spread:g}. E[a²] is the mean of the squares of the "
        "saturated actions and of the others.",
    )
    right(f"Measured: {measured:.2f} saturated, deviation {actions.std():.2f}.")


def check_large_actor(kind: type) -> None:
    """Check an agent whose actor starts with a large last layer."""
    agent = make(kind)
    last, slow = (net.net[-1].weight.detach() for net in (agent.actor, agent.actor_target))
    largest = last.abs().max().item()
    expect(
        largest > 0.01,
        f"The last layer of the actor still starts in ±{largest:.3f}: it is the old one.",
    )
    expect(2.5 < largest <= 3.0, f"The last layer should start in ±3; yours is in ±{largest:.2f}.")
    expect(agent.actor_target is not agent.actor, "actor_target is the actor itself: copy it.")
    expect(
        slow.abs().max().item() > 0.01,
        "actor_target is still the copy of the old actor: make it anew.",
    )
    expect(torch.equal(last, slow), "actor_target starts with other weights than the actor.")
    expect(
        not any(p.requires_grad for p in agent.actor_target.parameters()),
        "actor_target needs no gradients: requires_grad_(False).",
    )
    learner, follower = agent.learners["actor"], agent.followers["actor"]
    held = {id(p) for group in learner.optimizer.param_groups for p in group["params"]}
    expect(
        learner.network is agent.actor and held == {id(p) for p in agent.actor.parameters()},
        'learners["actor"] still steps the weights of the old actor: make it anew.',
    )
    rate = learner.optimizer.param_groups[0]["lr"]
    expect(rate == agent.actor_lr, f"The optimiser's rate is {rate:g}, not actor_lr.")
    expect(
        follower.slow is agent.actor_target,
        'followers["actor"] still moves the old actor_target: make it anew.',
    )
    expect(
        follower.network is agent.actor,
        'followers["actor"] does not follow the new actor.',
    )
    expect(agent.critic.net[-1].weight.abs().max() < 0.01, "Only the actor starts large.")
    obs = torch.randn(2_000, 3, generator=torch.Generator().manual_seed(0))
    action = agent.actor(obs * torch.tensor([1.0, 1.0, 4.0])).detach()
    full, slope = (action.abs() > 0.95).float().mean(), (1 - action**2).mean()
    right(f"{full:.0%} of its actions are beyond ±0.95; the mean slope of tanh is {slope:.2f}.")


def check_n_step_target(n_step_target: Callable, seed: int = 0) -> None:
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
        reward, next_q = rng.normal(size=(2, 64, n))
        terminated, truncated = rng.random((2, 64, n)) < 0.15
        y = ask(reward, next_q, terminated, truncated, 0.9)
        columns = [torch.tensor(c[:, 0]) for c in (reward, next_q, terminated.astype(float))]
        one = td_target(*columns, 0.9).numpy()
        expect(n > 1 or close(y, one), "With n = 1 it should be the one-step target of Eq. 6.")
        stop = terminated[:, 0] | truncated[:, 0]
        expect(close(y[stop], one[stop]), "Where the first step ends, it is Eq. 6.")
        if n > 1:
            tail = ask(*(c[:, 1:] for c in (reward, next_q, terminated, truncated)), 0.9)
            gap = np.abs(y - reward[:, 0] - 0.9 * tail)[~stop].max()
            expect(
                gap < 1e-4,
                f"n = {n}: the target should be the first reward plus γ times the target of the "
                "remaining steps, where step 0 does not end.",
            )
    right("Rewards up to the first end; a value after it, unless it was a true end.")


def check_sample_windows(sample_windows: Callable) -> None:
    """Check a sampler of n successive rows from a ring, without loops."""
    for stored, size, n in ((6, 10, 3), (10, 10, 4), (13, 10, 4), (27, 10, 1), (25, 10, 10)):
        ring = np.full((size, 2), -1.0, np.float32)
        for k in range(stored):
            ring[k % size] = k, -2 * k
        case = f"stored {stored}, size {size}, n {n}"
        answer = call(sample_windows, ring, stored, n, 2_000, np.random.default_rng(0))
        windows = array(f"sample_windows ({case})", answer, (2_000, n, 2))
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
        expected = 2_000 / len(count)
        expect(
            bool((np.abs(count - expected) < 6 * expected**0.5).all()),
            f"{case}: some windows are drawn much more often than others.",
        )
        again = call(sample_windows, ring, stored, n, 2_000, np.random.default_rng(0))
        expect(close(again, windows), "Two calls with equal seeds differ: draw from rng.")
        other = call(sample_windows, ring, stored, n, 2_000, np.random.default_rng(1))
        expect(len(starts) == 1 or not close(other, windows), "Draw from rng, which was passed.")
    expect(not loops(sample_windows), "The windows are right. Now without a Python loop.")
    right("Windows that respect time, at the cost of one fancy index.")


# The tables of check_fatal_limit.


def table(kind: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Explore a small deterministic environment by replaying paths from its start.

    Returns:
        next state (S, A), reward (S, A), terminated (S, A); the start is state 0.
    """
    env = attempt(f"{kind.__name__}()", kind)
    for name in ("observation_space", "action_space"):
        space = getattr(env, name, None)
        expect(isinstance(space, Discrete), f"self.{name} should be gymnasium.spaces.Discrete.")
        expect(space.start == 0, f"self.{name} should start at 0.")
    states, n = int(env.observation_space.n), int(env.action_space.n)
    expect(states <= 50 and 2 <= n <= 5, "Use 50 states at most, and 2 to 5 actions.")

    def play(path: list[int]) -> tuple[int, float, bool]:
        answer = attempt("reset", env.reset, seed=0)
        expect(
            isinstance(answer, tuple) and len(answer) == 2,
            "reset should return (obs, info); it returns nothing like it yet.",
        )
        obs, reward, terminated = answer[0], 0.0, False
        for action in path:
            answer = attempt("step", env.step, action)
            expect(
                isinstance(answer, tuple) and len(answer) == 5,
                "step should return (next_obs, reward, terminated, truncated, info).",
            )
            obs, reward, terminated, truncated, _ = answer
            expect(not truncated, "truncated stays False: the check sets the time limit.")
        expect(env.observation_space.contains(obs), f"{obs!r} is not in {env.observation_space}.")
        expect(np.isfinite(reward), f"A reward of {reward}.")
        return int(obs), float(reward), bool(terminated)

    start = play([])[0]
    paths, order, rows = {start: []}, {start: 0}, {}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for action in range(n):
            rows[state, action] = found = play([*paths[state], action])
            expect(play([*paths[state], action]) == found, "Playing one path twice differs.")
            if not found[2] and found[0] not in paths:
                paths[found[0]] = [*paths[state], action]
                order[found[0]] = len(order)
                queue.append(found[0])
    size = len(order)
    next_state, reward = np.zeros((size, n), int), np.zeros((size, n))
    terminated = np.zeros((size, n))
    for (state, action), (after, r, ended) in rows.items():
        k = order[state]
        next_state[k, action] = 0 if ended else order[after]
        reward[k, action], terminated[k, action] = r, ended
    check_markov(play, env, order, next_state, reward, terminated)
    return next_state, reward, terminated


def check_markov(play, env, order, next_state, reward, terminated) -> None:
    """Refuse an environment that remembers more than its obs: random paths against the table."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        state, path = 0, []
        for _ in range(LIMIT):
            action = int(rng.integers(env.action_space.n))
            path.append(action)
            obs, r, ended = play(path)
            known = (r, ended) == (reward[state, action], terminated[state, action])
            known = known and (ended or order.get(obs) == next_state[state, action])
            expect(known, "What a step does should depend on obs and action alone.")
            if ended:
                break
            state = next_state[state, action]


def cut_share(next_state: np.ndarray, terminated: np.ndarray) -> np.ndarray:
    """Return how often the time limit hits each state, (S,), of its visits by random actions."""
    now, visits = np.eye(len(next_state))[0], np.zeros(len(next_state))
    for _ in range(LIMIT):
        visits += now
        last = now
        now = np.zeros_like(now)
        np.add.at(now, next_state, (1 - terminated) * (last / next_state.shape[1])[:, None])
    return last / np.maximum(visits, 1e-300)


def iterate(next_state, reward, keep, policy: np.ndarray | None = None) -> np.ndarray:
    """Return Q (S, A) of the best policy, or of a given one, by 3,000 sweeps.

    Args:
        keep: (S, A), the share of the bootstrap that is kept.
        policy: (S,), actions; None maximises.
    """
    q = np.zeros_like(reward)
    for _ in range(3_000):
        value = q.max(1) if policy is None else q[np.arange(len(q)), policy]
        q = reward + GAMMA * keep * value[next_state]
    return q


def check_fatal_limit(kind: type) -> None:
    """Check that cutting the bootstrap at a time limit ruins the learner's environment."""
    expect(isinstance(kind, type) and issubclass(kind, Env), "Derive from gymnasium.Env.")
    next_state, reward, terminated = table(kind)
    share = cut_share(next_state, terminated)
    expect(share.max() > 0, "No random episode reaches the limit of 20 steps: nothing is cut.")
    q_right = iterate(next_state, reward, 1 - terminated)
    q_cut = iterate(next_state, reward, (1 - terminated) * (1 - share[:, None]))
    best, fooled = (
        iterate(next_state, reward, 1 - terminated, q.argmax(1))[0, q.argmax(1)[0]]
        for q in (q_right, q_cut)
    )
    seen = f"Its values at the start: right {q_right[0].round(1)}, cut {q_cut[0].round(1)}"
    expect(best > 0, f"The best return, {best:.1f}, should be positive.")
    expect(
        bool((q_right.argmax(1) != q_cut.argmax(1)).any()),
        "Cutting makes the values wrong, but the best action stays the best. " + seen + ". "
        "Offer something that looks better than a value that was cut.",
    )
    expect(
        fooled <= best / 2,
        f"The agent that cuts gets {fooled:.1f} of {best:.1f}, discounted: not fatal yet. {seen}.",
    )
    right(f"With the right target {best:.1f}, with the cut one {fooled:.1f}, discounted.")


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
    graph = torch.ones(2, 3, requires_grad=True)
    answer = clipped_target(torch.zeros(3), graph, torch.zeros(3), 0.9)
    expect(not getattr(answer, "requires_grad", False), "The target is data: detach it.")
    right("The most sceptical critic makes the target.")


def check_twin_critics(kind: type) -> None:
    """Check that an agent has a second critic, its slow copy, its learner and its follower."""
    agent = make(kind)
    for name in ("critic2", "critic2_target"):
        expect(hasattr(agent, name), f"self.{name} is missing.")
        expect(isinstance(getattr(agent, name), Critic), f"self.{name} should be a Critic.")
    expect(agent.critic2 is not agent.critic, "critic2 is the first critic under another name.")
    expect(
        not torch.equal(flat(agent.critic2), flat(agent.critic)),
        "Both critics start with equal weights. On equal batches they would stay equal, and the "
        "smaller of two equal values is no help: make a new Critic.",
    )
    expect(agent.critic2_target is not agent.critic2, "critic2_target is critic2 itself.")
    expect(
        torch.equal(flat(agent.critic2_target), flat(agent.critic2)),
        "critic2_target should start as a copy of critic2.",
    )
    expect(
        not any(p.requires_grad for p in agent.critic2_target.parameters()),
        "critic2_target needs no gradients: requires_grad_(False).",
    )
    for name in ("learners", "followers"):
        expect("critic2" in getattr(agent, name), f'self.{name}["critic2"] is missing.')
        wanted = {"actor", "critic", "critic2"}
        expect(wanted <= set(getattr(agent, name)), f"self.{name} should keep the other entries.")
    learner, follower = agent.learners["critic2"], agent.followers["critic2"]
    groups = getattr(getattr(learner, "optimizer", None), "param_groups", [])
    expect(len(groups) > 0, 'learners["critic2"] has no optimiser: use self.learner.')
    expect(
        learner.network is agent.critic2
        and {id(p) for p in groups[0]["params"]} == {id(p) for p in agent.critic2.parameters()},
        'learners["critic2"] should hold the weights of critic2.',
    )
    expect(groups[0]["lr"] == agent.critic_lr, "critic2 should learn at critic_lr.")
    expect(
        learner.objective != agent.learners["critic"].objective,
        "critic2 should go down a loss of its own: critic2_objective.",
    )
    expect(
        follower.slow is agent.critic2_target, 'followers["critic2"] should move critic2_target.'
    )
    expect(follower.network is agent.critic2, 'followers["critic2"] should follow critic2.')
    right("Two critics that start apart.")


def check_twin_agent(kind: type) -> None:
    """Check the updates of an agent with clipped double Q."""
    agent = make(kind)
    expect("critic2" in agent.learners, "Derive from your TwinCritics.")
    critics = agent.critic, agent.critic2
    row = one_row(1.0, 0.0)
    for name in ("critic_objective", "critic2_objective"):
        found = attempt(name, getattr(agent, name), row)
        expect(found is not None and found is not ..., f"{name} returns nothing yet.")
        expect(
            isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict),
            f"{name} should return (loss, dict of what to record).",
        )
    for low, high in ((4.0, 10.0), (10.0, 4.0)):
        constant(agent.critic_target, low)
        constant(agent.critic2_target, high)
        for critic in critics:
            constant(critic, 0.0)
        losses = attempt("update", agent.update, row)
        expect(
            isinstance(losses, dict) and {"critic_loss", "critic2_loss"} <= set(losses),
            "An update should record 'critic_loss' and 'critic2_loss'.",
        )
        first, second = (number(k, losses[k]) for k in ("critic_loss", "critic2_loss"))
        y = 1.0 + 0.99 * min(low, high)
        expect(
            close(first, second),
            "Both critics answer 0, and their targets differ. They should learn one target: the "
            "smaller of the two slow critics' values.",
        )
        for name, q in (("larger", max(low, high)), ("mean", (low + high) / 2)):
            expect(not close(first, (1 + 0.99 * q) ** 2), f"You took the {name} of both values.")
        expect(
            close(first, y**2),
            f"Slow critics answer {low:g} and {high:g}, r = 1: the loss of a critic that answers "
            f"0 should be {y**2:.2f}; yours is {first:.2f}.",
        )
        for name, critic in zip(("critic", "critic2"), critics, strict=True):
            moved = critic.net[-1].bias.item()
            expect(moved != 0.0, f"{name} did not move: its loss should depend on {name}.")
            expect(moved > 0.0, f"{name} moved away from its target.")
    constant(agent.critic_target, low)
    constant(agent.critic2_target, high)
    for critic in critics:
        constant(critic, y)
    attempt("update", agent.update, row)
    grads = [p.grad for critic in critics for p in critic.parameters() if p.grad is not None]
    expect(
        all(grad.abs().max() < 1e-3 for grad in grads),
        "Both critics answer just the target, and still have gradients: those of an earlier "
        "batch. Zero them, or use descend.",
    )
    losses = attempt("update", agent.update, one_row(1.0, 1.0))
    bias = critics[1].net[-1].bias.item()
    expect(
        close(number("critic2_loss", losses["critic2_loss"]), (bias - 1.0) ** 2, 0.02),
        f"A terminated row with r = 1, critic2 near {bias:.2f}: the loss is not its distance to 1, "
        "squared. "
        "Does the bootstrap stop there?",
    )
    check_twin_update(make(kind))


def check_twin_update(agent: Any) -> None:
    """Check update_model: all targets move by tau, the actor climbs the first critic."""
    fill(agent)
    names = ("actor", "critic", "critic2")
    slow = {name: flat(getattr(agent, name + "_target")) for name in names}
    fast = {name: flat(getattr(agent, name)) for name in names}
    losses = attempt("update_model", agent.update_model)
    expect(isinstance(losses, dict), "update_model should return the losses, as super's does.")
    expect(
        {"critic_loss", "critic2_loss", "actor_loss"} <= set(losses),
        f"update_model should return all three losses; yours returns {sorted(losses)}.",
    )
    for name in names:
        now, trained = flat(getattr(agent, name + "_target")), flat(getattr(agent, name))
        expect(not torch.equal(trained, fast[name]), f"update_model does not train {name}.")
        way = trained - slow[name]
        covered = (((now - slow[name]) @ way) / (way @ way)).item()
        expect(covered > 1e-5, f"{name}_target did not move: Eq. 9 is for it, too.")
        expect(
            covered < 1.5 * agent.tau or covered > 0.5,
            f"{name}_target moved by {covered:.4f} of the way, more than τ: is it moved twice?",
        )
        expect(
            abs(covered / agent.tau - 1) < 0.05,
            f"{name}_target covered {covered:.4f} of the way; τ is {agent.tau:g}.",
        )
    attempt("train", agent.train, 60, plotting_interval=0)
    expect(len(agent.history.losses.get("critic2_loss", [])) > 0, "Training records no losses.")
    right("Clipped double Q: two critics, one sceptical target.")


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
    p = array("probabilities", call(probabilities, np.array([3.0, 1.0]), 0.0), (2,))
    expect(close(p, [0.5, 0.5]), "α = 0 should be uniform sampling.")
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
    w = array("importance_weights", call(importance_weights, drawn[[0, 3]], 5, 0.5), (2,))
    expect(close(w**2, [0.5, 1.0]), "β = 0.5: the weights are (N P) to the power −β.")
    right("Drawn often, weighed little.")


def check_prioritised_buffer(kind: type) -> None:
    """Check a buffer with proportional prioritised sampling."""
    expect(isinstance(kind, type) and issubclass(kind, ReplayBuffer), "Derive from ReplayBuffer.")

    def new(size: int = 8, batch: int = 4_000, alpha: float = 1.0, beta: float = 1.0) -> Any:
        options = {"seed": 0, "alpha": alpha, "beta": beta}
        buffer = attempt(f"{kind.__name__}(...)", kind, 1, 1, max(size, batch), batch, **options)
        return buffer

    def store(buffer: Any, n: int) -> None:
        for _ in range(n):
            k = float(buffer.stored)
            attempt("store", buffer.store, [k], [0.0], k, [k], False)

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
        return rows

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
    buffer.drawn = np.array([3, 0, 1, 2])
    before = np.array(buffer.priority)
    attempt("update_priorities", buffer.update_priorities, np.array([-4.0, 1.0, 0.0, 2.0]))
    priority = np.asarray(buffer.priority)
    expect(not close(priority, before), "update_priorities changes nothing yet.")
    expect((priority >= 0).all(), "A TD error of −4 is as surprising as one of 4: use |δ|.")
    expect(
        not close(priority[:3], [4, 1, 0], 0.01),
        "The errors belong to the rows in self.drawn, in that order.",
    )
    expect(close(priority[[3, 0, 2]], [4, 1, 2], 0.01), "The priority should be |δ| + ε.")
    expect(priority[1] > 0, "An error of 0 gives no chance to be drawn again: add a small ε.")
    expect(priority[1] < 0.011, "ε should be small: 1e-6, say.")

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
    twins = new(), new()
    for twin in twins:
        store(twin, 50)
    first, second = map(draw, twins)
    expect(close(first, second), "Two buffers with one seed differ: draw from self.rng.")
    buffer = new(alpha=0.0)  # 0 to the power 0 is 1
    store(buffer, 4)
    draw(buffer)

    buffer = new(size=3, batch=3, alpha=0.0)
    store(buffer, 3)
    buffer.drawn = np.arange(3)
    buffer.update_priorities(np.array([5.0, 0.5, 0.5]))
    buffer.drawn = np.arange(1)
    buffer.update_priorities(np.array([0.1]))
    store(buffer, 1)
    expect(buffer.priority[0] > 0.2, "An overwritten row keeps the old transition's priority.")
    counts = np.zeros(3)
    for _ in range(600):
        counts += np.bincount(draw(buffer), minlength=3)
    expect(counts.min() > 450, f"α = 0 should be uniform; 1,800 draws: {counts.astype(int)}.")
    right("Surprising transitions are drawn more often, and weighed less.")
