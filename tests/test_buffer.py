import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcourse import ReplayBuffer


def transition(k, obs_dim=2, act_dim=1):
    """A transition in which every number tells which one it is."""
    return (
        np.full(obs_dim, k),
        np.full(act_dim, -k),
        10.0 * k,
        np.full(obs_dim, k + 0.5),
        k % 2 == 0,
    )


def contents(buffer):
    return sorted(buffer.data.reward[: len(buffer)].tolist())


@settings(max_examples=500, deadline=None)
@given(
    size=st.integers(1, 7),
    steps=st.lists(st.one_of(st.just("store"), st.integers(0, 9)), max_size=30),
)
def test_ring_holds_what_a_list_of_the_last_size_transitions_holds(size, steps):
    buffer, model, k = ReplayBuffer(2, 1, size, batch_size=1, seed=0), [], 0
    for step in steps:
        new = 1 if step == "store" else step
        rows = [transition(k + i) for i in range(new)]
        buffer.store(*rows[0]) if step == "store" else buffer.extend(rows)
        model, k = (model + rows)[-size:], k + new
        assert len(buffer) == len(model)
        assert contents(buffer) == sorted(row[2] for row in model)


def test_rows_of_a_batch_stay_together_and_have_the_documented_shapes():
    buffer = ReplayBuffer(2, 3, 50, batch_size=200 // 4, seed=1)
    buffer.extend(transition(k, act_dim=3) for k in range(40))
    batch = buffer.sample_batch()
    assert [x.shape for x in batch] == [(50, 2), (50, 3), (50,), (50, 2), (50,)]
    assert all(x.dtype == np.float32 for x in batch)
    k = batch.obs[:, 0]
    np.testing.assert_array_equal(batch.action[:, 2], -k)
    np.testing.assert_array_equal(batch.reward, 10 * k)
    np.testing.assert_array_equal(batch.next_obs[:, 1], k + 0.5)
    np.testing.assert_array_equal(batch.terminated, (k % 2 == 0).astype(np.float32))


def test_sampling_reaches_every_stored_row_and_no_other():
    buffer = ReplayBuffer(2, 1, 1_000, batch_size=100, seed=2)
    buffer.extend(transition(k) for k in range(1, 31))
    drawn = np.concatenate([buffer.sample_batch().reward for _ in range(20)])
    assert set(drawn) == {10.0 * k for k in range(1, 31)}


def test_sampling_is_uniform():
    buffer = ReplayBuffer(2, 1, 10, batch_size=10, seed=3)
    buffer.extend(transition(k) for k in range(10))
    drawn = np.concatenate([buffer.sample_batch().obs[:, 0] for _ in range(2_000)])
    counts = np.bincount(drawn.astype(int), minlength=10)
    assert abs(counts - 2_000).max() < 5 * np.sqrt(20_000 * 0.1 * 0.9)


def test_sampling_allocates_for_the_batch_and_not_for_the_buffer():
    """Permuting n rows would need 8 n bytes; memory shows it without a clock."""
    buffer = ReplayBuffer(2, 1, 100_000, batch_size=8, seed=0)
    buffer.stored = 100_000
    buffer.sample_batch()
    tracemalloc.start()
    buffer.sample_batch()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


def test_the_same_seed_samples_the_same_and_another_does_not():
    def draws(seed):
        buffer = ReplayBuffer(2, 1, 100, batch_size=16, seed=seed)
        buffer.extend(transition(k) for k in range(100))
        return buffer.sample_batch().reward.tolist()

    assert draws(5) == draws(5) != draws(6)


def test_a_sample_is_a_copy():
    buffer = ReplayBuffer(2, 1, 4, batch_size=4, seed=0)
    buffer.store(*transition(1))
    buffer.sample_batch().reward[:] = 99.0
    assert contents(buffer) == [10.0]


@pytest.mark.parametrize(
    ("position", "value", "name"),
    [
        (0, [1.0], "obs"),
        (0, [np.nan, 0.0], "obs"),
        (0, "two", "obs"),
        (1, [[0.5]], "action"),
        (1, [np.inf], "action"),
        (2, np.nan, "reward"),
        (2, [1.0], "reward"),
        (2, None, "reward"),
        (3, [0.0, -np.inf], "next_obs"),
        (4, 0.5, "terminated"),
        (4, "yes", "terminated"),
    ],
)
def test_a_bad_transition_is_refused_by_name_and_nothing_is_written(position, value, name):
    buffer = ReplayBuffer(2, 1, 4, batch_size=2)
    row = list(transition(1))
    row[position] = value
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        buffer.store(*row)
    with pytest.raises((TypeError, ValueError), match=f"^{name}: "):
        buffer.extend([transition(1), row])
    assert len(buffer) == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0, 1, 4), "obs_dim"),
        ((2, -1, 4), "act_dim"),
        ((2, 1, 0), "size"),
        ((2, 1, 4.0), "size"),
        ((2, 1, 4, 0), "batch_size"),
        ((2, 1, 4, 5), "batch_size"),
        ((2, 1, 4, True), "batch_size"),
    ],
)
def test_sizes_that_cannot_work_are_refused(arguments, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        ReplayBuffer(*arguments)


def test_an_empty_buffer_cannot_be_sampled():
    with pytest.raises(ValueError, match="empty buffer"):
        ReplayBuffer(2, 1, 4, batch_size=2).sample_batch()
