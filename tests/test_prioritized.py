"""The prioritised buffer against a list, and its equations by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcourse.parts.prioritized import (
    PrioritizedBuffer,
    importance_weights,
    n_step_target,
    priority,
    weighted_critic_loss,
)

T = torch.tensor
GAMMA = 0.5


def transition(k, terminated=False):
    """A transition in which every number tells which one it is."""
    return [float(k)], [-k / 1_000], 2.0**-k + k, [k + 0.5], terminated


class Model:
    """What the buffer should do, with a list of (number, terminated, last, share)."""

    def __init__(self, size):
        self.size, self.demo, self.ring, self.count = size, [], [], 0

    def rows(self):
        return self.demo + self.ring

    def store(self, terminated, to=None):
        share = max((row["share"] for row in self.rows()), default=1.0)
        row = {"k": self.count, "terminated": terminated, "last": terminated, "share": share}
        if to is None and len(self.ring) == self.size:
            self.ring.pop(0)
        (self.ring if to is None else to).append(row)
        self.count += 1

    def cut(self):
        if self.rows():
            self.rows()[-1]["last"] = True

    def n_step(self, k, n):
        """What came of transition k, step by step."""
        rows = {row["k"]: row for row in self.rows()}
        reward = terminated = steps = 0
        while steps < n and k + steps in rows:
            row = rows[k + steps]
            reward += GAMMA**steps * transition(k + steps)[2]
            steps, terminated = steps + 1, row["terminated"]
            if row["last"]:
                break
        return reward, k + steps - 0.5, terminated, GAMMA**steps


def random_history(size, n, episodes, steps, seed):
    """Return a buffer and its model after demonstrations and a random life."""
    buffer = PrioritizedBuffer(1, 1, size, size, seed, n=n, gamma=GAMMA, alpha=0.5)
    model, rng = Model(size), np.random.default_rng(seed)
    if episodes:
        demo = []
        for length, terminated in episodes:
            first = model.count
            for i in range(length):
                model.store(terminated and i == length - 1, model.demo)
            model.cut()
            ends = [False] * (length - 1) + [terminated]
            demo.append([transition(first + i, end) for i, end in enumerate(ends)])
        buffer.keep(demo)
    for step in steps:
        if step == "truncated":
            buffer.cut()
            model.cut()
        elif step == "learn" and buffer.stored:
            ks = buffer.sample_batch().obs[:, 0].astype(int)
            new = rng.uniform(0.1, 9.0, size)
            buffer.update_priorities(new)
            by = {row["k"]: row for row in model.rows()}
            for k, value in zip(ks, new, strict=True):
                by[k]["share"] = value**0.5
        elif step in ("goes on", "terminated"):
            end = step == "terminated"
            buffer.store(*transition(model.count, end))
            model.store(end)
    return buffer, model


@settings(max_examples=400, deadline=None)
@given(
    size=st.integers(1, 7),
    n=st.integers(1, 9),
    episodes=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=3),
    steps=st.lists(
        st.sampled_from(["goes on", "goes on", "goes on", "terminated", "truncated", "learn"]),
        max_size=40,
    ),
    seed=st.integers(0, 99),
)
def test_buffer_does_what_a_list_does(size, n, episodes, steps, seed):
    buffer, model = random_history(size, n, episodes, steps, seed)
    expected = model.rows()
    assert len(buffer) == len(expected)
    if not expected:
        return
    ks = buffer.data.obs[: len(buffer), 0].astype(int)
    by = {row["k"]: (i, row) for i, row in zip(np.argsort(ks), expected, strict=True)}
    for i, k in enumerate(ks):
        at, row = by[k]
        assert at == i and buffer.share[i] == row["share"]
        got = [float(np.squeeze(column)) for column in buffer.n_step(np.array([i]))]
        assert got == pytest.approx(list(map(float, model.n_step(k, n))))
    batch = buffer.sample_batch()
    drawn = batch.obs[:, 0].astype(int)
    assert set(drawn) <= set(ks)
    np.testing.assert_array_equal(drawn, ks[buffer.drawn])
    np.testing.assert_array_equal(batch.demo, [k < len(model.demo) for k in drawn])
    share = np.array([by[k][1]["share"] for k in drawn])
    np.testing.assert_allclose(batch.weight, share.min() / share, rtol=1e-6)
    for k, *found in zip(drawn, *batch[:9], strict=True):
        row = transition(k, by[k][1]["terminated"])
        wanted = [*row, *model.n_step(k, n)]
        assert [float(np.squeeze(x)) for x in found] == pytest.approx(
            [float(np.squeeze(x)) for x in wanted]
        )


def test_n_step_rows_by_hand():
    buffer = PrioritizedBuffer(1, 1, 9, 4, 0, n=3, gamma=0.5)
    for k, end in enumerate([False, False, False, True]):  # an episode that terminates
        buffer.store([k], [0.0], 8.0, [k + 1], end)
    for k in (10, 11):  # one that a time limit cuts
        buffer.store([k], [0.0], 4.0, [k + 1], False)
    buffer.cut()
    buffer.store([20], [0.0], 2.0, [21], False)  # one that goes on
    reward, next_obs, terminated, discount = buffer.n_step(np.arange(7))
    assert reward.tolist() == [14.0, 14.0, 12.0, 8.0, 6.0, 4.0, 2.0]
    assert next_obs[:, 0].tolist() == [3, 4, 4, 4, 12, 12, 21]
    assert terminated.tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert discount.tolist() == [0.125, 0.125, 0.25, 0.5, 0.25, 0.5, 0.5]


def test_rows_are_drawn_in_proportion_to_priority_to_the_alpha():
    buffer = PrioritizedBuffer(1, 1, 4, 4, 0, alpha=0.5)
    for k in range(4):
        buffer.store(*transition(k))
    buffer.drawn = np.arange(4)
    buffer.update_priorities(np.array([1.0, 4.0, 9.0, 16.0]))
    buffer.batch_size = 40_000
    share = np.bincount(buffer.sample_batch().obs[:, 0].astype(int)) / 40_000
    np.testing.assert_allclose(share, np.array([1, 2, 3, 4]) / 10, atol=0.01)


def test_without_alpha_sampling_is_uniform_and_weights_are_one():
    buffer = PrioritizedBuffer(1, 1, 4, 4, 0, alpha=0.0)
    for k in range(4):
        buffer.store(*transition(k))
    buffer.drawn = np.arange(4)
    buffer.update_priorities(np.array([1.0, 4.0, 9.0, 1e-6]))
    buffer.batch_size = 40_000
    batch = buffer.sample_batch()
    share = np.bincount(batch.obs[:, 0].astype(int)) / 40_000
    np.testing.assert_allclose(share, 0.25, atol=0.01)
    assert (batch.weight == 1.0).all()


def test_weighted_means_are_those_of_uniform_sampling_where_beta_is_one():
    buffer = PrioritizedBuffer(1, 1, 3, 3, 0, alpha=1.0, beta=1.0)
    for k in range(3):
        buffer.store(*transition(k))
    buffer.drawn = np.arange(3)
    buffer.update_priorities(np.array([1.0, 5.0, 14.0]))
    buffer.batch_size = 40_000
    batch = buffer.sample_batch()
    mean = (batch.weight * batch.obs[:, 0]).sum() / batch.weight.sum()
    assert mean == pytest.approx(1.0, abs=0.03)
    assert batch.obs.mean() > 1.5


def test_an_importance_weight_by_hand():
    assert importance_weights(T([4.0, 1.0, 0.25]), 0.5).tolist() == [0.25, 0.5, 1.0]
    assert importance_weights(T([4.0, 1.0]), 0.0).tolist() == [1.0, 1.0]


def test_a_priority_by_hand():
    found = priority(T([-3.0, 1.0]), T([[1.0, 2.0], [0.0, 0.0]]), T([0.0, 1.0]), 0.5, 0.25, 8.0)
    assert found.tolist() == [9 + 2.5 + 0.25, 1 + 0.25 + 8]


def test_an_n_step_target_by_hand():
    next_q = T([8.0, 8.0], requires_grad=True)
    target = n_step_target(T([3.0, 3.0]), next_q, T([0.0, 1.0]), T([0.25, 0.25]))
    assert target.tolist() == [5.0, 3.0] and not target.requires_grad


def test_a_weighted_loss_by_hand():
    loss = weighted_critic_loss(T([1.0, 2.0]), T([3.0, 5.0]), T([1.0, 0.5]))
    assert loss.item() == (4 + 4.5) / 2


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (n_step_target, [torch.zeros(3), torch.zeros(3, 1), torch.zeros(3), torch.zeros(3)]),
        (weighted_critic_loss, [torch.zeros(3), torch.zeros(3), torch.zeros(3, 1)]),
        (importance_weights, [torch.ones(3), 2.0]),
        (priority, [torch.zeros(3), torch.zeros(3), torch.zeros(3), 1.0, 1.0, 1.0]),
        (priority, [torch.zeros(3), torch.zeros(3, 1), torch.zeros(3), 1.0, -1.0, 1.0]),
    ],
)
def test_equations_refuse_what_would_broadcast_and_numbers_out_of_range(function, arguments):
    with pytest.raises(ValueError, match="expected"):
        function(*arguments)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"n": 0}, "n"), ({"n": 2.0}, "n"), ({"gamma": 1.5}, "gamma"), ({"alpha": -0.1}, "alpha"),
        ({"beta": 2}, "beta"), ({"size": 0}, "size"), ({"batch_size": 9}, "batch_size"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused_by_name(changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        PrioritizedBuffer(**{"obs_dim": 1, "act_dim": 1, "size": 4, "batch_size": 2} | changes)


def test_bad_priorities_are_refused_and_nothing_changes():
    buffer = PrioritizedBuffer(1, 1, 4, 2, 0)
    buffer.store(*transition(0))
    buffer.sample_batch()
    for bad in (np.array([1.0, 0.0]), np.array([np.nan, 1.0]), np.ones(3), [1.0, 1.0]):
        with pytest.raises((TypeError, ValueError), match="^priority: got .*expected"):
            buffer.update_priorities(bad)
    assert buffer.share[0] == 1.0


def test_only_an_empty_buffer_keeps_and_only_rows():
    buffer = PrioritizedBuffer(1, 1, 4, 2, 0)
    for demo in ([], [[]]):
        with pytest.raises(ValueError, match="^demo: got 0 .*expected at least one"):
            buffer.keep(demo)
    with pytest.raises(ValueError, match="empty buffer"):
        buffer.sample_batch()
    buffer.cut()  # of nothing
    buffer.store(*transition(0))
    with pytest.raises(ValueError, match="^demo: got 1 .*expected at least one"):
        buffer.keep([[transition(1)]])


def test_rows_that_cannot_be_are_refused():
    buffer = PrioritizedBuffer(1, 1, 4, 2, 0)
    buffer.keep([[transition(0)]])
    buffer.check()
    buffer.share[0] = 0.0
    with pytest.raises(ValueError, match="priority"):
        buffer.check()
    buffer.share[0], buffer.permanent = 1.0, 2
    with pytest.raises(ValueError, match="2 rows that stay"):
        buffer.check()
