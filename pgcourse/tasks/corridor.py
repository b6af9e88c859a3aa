"""A corridor: how many updates does it take until the start knows of the end?"""

import numpy as np

from pgcourse import checks

STATES = 20
GAMMA = 0.99


def exact_updates(junk: int, n: int = 1) -> float:
    """Return the mean number of updates of `corridor_updates` with alpha 0, exactly.

    The values that count are n states apart, and each waits for one row among all: the mean is
    (20 + junk) · ⌈20 / n⌉.

    Args:
        junk, n: as for `corridor_updates`.
    """
    return float((STATES + checks.integer("junk", junk, 0)) * -(-STATES // checks.integer("n", n)))


def corridor_updates(
    junk: int = 0,
    n: int = 1,
    *,
    alpha: float = 0.0,
    epsilon: float = 0.01,
    epsilon_demo: float = 0.0,
    stale: bool = True,
    runs: int = 200,
    limit: int = 100_000,
    seed: int = 0,
) -> np.ndarray:
    """Return the updates of each run until the value of the first of 20 states is right.

    One demonstration walks from state to state and gets the reward 1 at the end. Beside its 20 rows
    lie rows of elsewhere, whose values are right from the start: junk. An update draws one row in
    proportion to p^alpha, p = δ² + p0 + pD (06 Eqs. 2 and 3), sets the value of its
    state to the n-step target, and p with it. New rows are as likely as the likeliest: p = 1.

    Args:
        junk: rows beside the demonstration.
        n: the most steps of a target.
        alpha: how much priorities count; 0 is uniform sampling.
        epsilon, epsilon_demo: p0, and pD of the demonstration's rows.
        stale: False lets every row have the priority that it ought to have, at each update.
        runs: how many, side by side.
        limit: no run makes more updates; one that is not over then is given as this number.
        seed: of the draws.

    Raises:
        TypeError, ValueError: an argument cannot work.
    """
    junk, n = checks.integer("junk", junk, 0), checks.integer("n", n)
    alpha = checks.real("alpha", alpha, 0.0, 1.0)
    epsilon = checks.real("epsilon", epsilon, 1e-9)
    epsilon_demo = checks.real("epsilon_demo", epsilon_demo, 0.0)
    runs, limit = checks.integer("runs", runs), checks.integer("limit", limit)
    rng, every = np.random.default_rng(checks.integer("seed", seed, 0)), np.arange(runs)
    steps = np.minimum(n, STATES - np.arange(STATES))
    later = np.arange(STATES) + steps
    reward = np.where(later == STATES, GAMMA ** (steps - 1.0), 0.0)
    value = np.zeros((runs, STATES + 1))  # the last is behind the end, and stays 0
    p = np.ones((runs, STATES))
    untouched = np.full(runs, junk)  # junk rows are alike: new ones, and those that were drawn
    low, found = epsilon**alpha, np.full(runs, limit)
    for update in range(1, limit + 1):
        target = reward + GAMMA**steps * value[:, later]
        if not stale:
            p = (target - value[:, :-1]) ** 2 + epsilon + epsilon_demo
        mass = np.cumsum(p**alpha, axis=1)
        new = untouched * (1.0 if stale else low)
        drawn = rng.random(runs) * (mass[:, -1] + new + (junk - untouched) * low)
        row = (mass <= drawn[:, None]).sum(axis=1)  # STATES: junk
        untouched -= (row == STATES) & (drawn < mass[:, -1] + new) & (untouched > 0)
        run = every[row < STATES]
        row = row[run]
        value[run, row] = target[run, row]
        p[run, row] = epsilon + epsilon_demo  # right here and now, whatever comes to be known later
        over = (found == limit) & np.isclose(value[:, 0], GAMMA ** (STATES - 1.0))
        found[over] = update
        if (found < limit).all():
            break
    return found
