"""The check of an environment in which a cut bootstrap is fatal: two exact tables of Q."""

from collections import deque

import numpy as np
from gymnasium import Env
from gymnasium.spaces import Discrete

from pgcourse.exercises.ddpg_kit import attempt
from pgcourse.exercises.grading import expect, fresh, right

GAMMA, LIMIT = 0.99, 20


def check_fatal_limit(kind: type) -> None:
    """Check that cutting the bootstrap at a time limit ruins the learner's environment."""
    expect(isinstance(kind, type) and issubclass(kind, Env), "Derive from gymnasium.Env.")
    next_state, reward, terminated = table(kind)
    share, reached, visited = cut_share(next_state, terminated)
    expect(reached > 0, f"No random episode reaches the limit of {LIMIT} steps: nothing is cut.")
    learned, keep = reward * visited[:, None], (1 - terminated) * visited[:, None]
    q_right = iterate(next_state, learned, keep)
    q_cut = iterate(next_state, learned, keep * (1 - share[:, None]))
    best, fooled = (
        iterate(next_state, reward, 1 - terminated, q.argmax(1))[0, q.argmax(1)[0]]
        for q in (q_right, q_cut)
    )
    seen = f"Its values at the start: right {q_right[0].round(1)}, cut {q_cut[0].round(1)}"
    expect(best > 0, f"The best return, {best:.1f}, should be positive.")
    same = bool((q_right.argmax(1) == q_cut.argmax(1)).all())
    expect(
        not same or reached > 0.05,
        f"Of the random episodes only one in {1 / max(reached, 1e-9):,.0f} reaches the limit; the "
        "others end before it, so next to nothing is cut. Offer an end once, not in every step.",
    )
    expect(
        not same or visited.all(),
        f"{sum(~visited)} of your states lie beyond the {LIMIT} steps of an episode: no table "
        "learns anything about them. What is worth living for should be seen earlier.",
    )
    expect(
        not same,
        f"The values change, but the best action stays the best. {seen}. The way out must be "
        "worth more than a life that was cut, and less than a whole one.",
    )
    expect(
        fooled <= best / 2,
        f"The agent that cuts gets {fooled:.1f} of {best:.1f}, discounted: not fatal yet. {seen}.",
    )
    right(f"With the right target {best:.1f}, with the cut one {fooled:.1f}, discounted.")


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

    rng = fresh()

    def play(path: list[int]) -> tuple[int, float, bool]:
        return replay(env, path, rng)[-1]

    start = play([])[0]
    expect(all(play([])[0] == start for _ in range(20)), "reset should always return one obs.")
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
    check_markov(env, rng, order, next_state, reward, terminated)
    return next_state, reward, terminated


def replay(env: Env, path: list[int], rng: np.random.Generator) -> list[tuple[int, float, bool]]:
    """Reset with any seed, and take the actions of a path.

    Returns:
        obs, reward and terminated of the start and of each step, up to an end.
    """
    answer = attempt("reset", env.reset, seed=int(rng.integers(2**31)))
    expect(
        isinstance(answer, tuple) and len(answer) == 2,
        "reset should return (obs, info); it returns nothing like it yet.",
    )
    trace = [one_step(env, answer[0], 0.0, False)]
    for action in path:
        answer = attempt("step", env.step, action)
        expect(
            isinstance(answer, tuple) and len(answer) == 5,
            "step should return (next_obs, reward, terminated, truncated, info).",
        )
        expect(not answer[3], "truncated stays False: the check sets the time limit.")
        trace.append(one_step(env, *answer[:3]))
        if trace[-1][2]:
            break
    return trace


def one_step(env: Env, obs, reward, terminated) -> tuple[int, float, bool]:
    """Return the numbers of one step as Python's own; a hint if they can't be."""
    expect(env.observation_space.contains(obs), f"{obs!r} is not in {env.observation_space}.")
    expect(np.isfinite(reward), f"A reward of {reward}.")
    return int(obs), float(reward), bool(terminated)


def check_markov(env: Env, rng, order, next_state, reward, terminated) -> None:
    """Refuse an environment that remembers more than its obs: long paths against the table."""
    for _ in range(20):
        state, path, known = 0, [], []
        while len(path) < 10 * LIMIT and not (known and known[-1][2]):
            action = int(rng.integers(reward.shape[1]))
            path.append(action)
            after = next_state[state, action]
            known.append((after, reward[state, action], bool(terminated[state, action])))
            state = after
        for (obs, r, ended), wanted in zip(replay(env, path, rng)[1:], known, strict=False):
            found = wanted[0] if ended else order.get(obs), r, ended
            expect(found == wanted, "What a step does should depend on obs and action alone.")


def cut_share(next_state: np.ndarray, terminated: np.ndarray) -> tuple:
    """Return how often the limit hits each state, (S,), of its visits by random actions.

    Also the share of the random episodes that reach the limit, and which states they visit, (S,).
    """
    now, visits = np.eye(len(next_state))[0], np.zeros(len(next_state))
    for _ in range(LIMIT):
        visits += now
        last = now
        now = np.zeros_like(now)
        np.add.at(now, next_state, (1 - terminated) * (last / next_state.shape[1])[:, None])
    return last / np.maximum(visits, 1e-300), float(last.sum()), visits > 0


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
