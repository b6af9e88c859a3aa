"""The corridor against its formula, and against a plain loop with the buffer itself."""

import numpy as np
import pytest

from pgcourse.parts.prioritized import PrioritizedBuffer
from pgcourse.tasks.corridor import GAMMA, STATES, corridor_updates, exact_updates


@pytest.mark.parametrize(("junk", "n", "mean"), [(0, 1, 400), (180, 1, 4_000), (980, 10, 2_000)])
def test_the_formula_by_hand(junk, n, mean):
    assert exact_updates(junk, n) == mean


@pytest.mark.parametrize(("junk", "n"), [(0, 1), (0, 3), (180, 10), (30, 20)])
def test_uniform_sampling_takes_what_the_formula_says(junk, n):
    found = corridor_updates(junk, n, runs=1_000)
    assert abs(found.mean() - exact_updates(junk, n)) < 5 * found.std() / 1_000**0.5


def played(junk, n, alpha, epsilon, epsilon_demo, seed):
    """One run with the buffer of the agent, row by row."""
    buffer = PrioritizedBuffer(1, 1, max(junk, 1), 1, seed, n=n, gamma=GAMMA, alpha=alpha)
    demo = [([k], [0.0], float(k == STATES - 1), [k + 1], k == STATES - 1) for k in range(STATES)]
    buffer.keep([demo])
    buffer.extend(([-1], [0.0], 0.0, [-1], True) for _ in range(junk))
    value, updates = np.zeros(STATES + 2), 0  # the last is that of junk
    while abs(value[0] - GAMMA ** (STATES - 1)) > 1e-5:
        batch = buffer.sample_batch()
        (k,), (after,) = batch.obs[0].astype(int), batch.n_next_obs[0].astype(int)
        bootstrap = batch.n_discount[0] * (1.0 - batch.n_terminated[0]) * value[after]
        value[k] = batch.n_reward[0] + bootstrap
        buffer.update_priorities(np.array([epsilon + epsilon_demo * batch.demo[0]]))
        updates += 1
    return updates


def test_priorities_take_what_a_plain_loop_takes():
    options = {"alpha": 0.5, "epsilon": 0.01, "epsilon_demo": 0.1}
    found = corridor_updates(40, 4, runs=1_000, **options)
    plain = [played(40, 4, seed=seed, **options) for seed in range(150)]
    deviation = (found.var() / 1_000 + np.var(plain) / 150) ** 0.5
    assert abs(found.mean() - np.mean(plain)) < 4 * deviation


def test_what_helps_and_what_does_not():
    """A priority is stale: it tells of the last time that a row was drawn."""
    uniform = exact_updates(180)
    alone = corridor_updates(180, alpha=1.0).mean()
    bonus = corridor_updates(180, alpha=1.0, epsilon_demo=0.2).mean()
    fresh = corridor_updates(180, alpha=1.0, stale=False).mean()
    assert fresh < 100 < bonus < uniform / 3 < 0.7 * uniform < alone


def test_a_limit_is_kept():
    assert (corridor_updates(980, runs=5, limit=30) == 30).all()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"junk": -1}, "junk"), ({"n": 0}, "n"), ({"alpha": 2.0}, "alpha"),
        ({"epsilon": 0.0}, "epsilon"), ({"epsilon_demo": -1.0}, "epsilon_demo"),
        ({"runs": 0}, "runs"), ({"limit": 0}, "limit"), ({"seed": -1}, "seed"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused_by_name(changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        corridor_updates(**changes)
