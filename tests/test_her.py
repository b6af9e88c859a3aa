import numpy as np
import pytest

from pgcourse import Normalizer
from pgcourse.parts.hindsight import HindsightBuffer


def reward_fn(achieved, goal):
    return -(np.abs(achieved - goal).sum(axis=-1) > 1e-6).astype(np.float32)


def buffer(lengths=(5, 1, 3), steps=5, episodes=4, **options):
    """Episode k reaches the places 100 k, 100 k + 1, ...; its goal is -k - 1, never reached."""
    made = HindsightBuffer(2, 1, 1, episodes, steps, 512, reward_fn, **{"seed": 0} | options)
    for k, length in enumerate(lengths):
        places = 100 * k + np.arange(length + 1.0)[:, None]
        made.store(np.repeat(places, 2, axis=1), places, places[:-1] / 1000, [-k - 1.0])
    return made


def test_relabelled_rewards_are_the_reward_functions_own_and_goals_lie_ahead():
    for relabel in (0.0, 0.8, 1.0):
        batch = buffer(relabel=relabel).sample_batch()
        place, after, goal = batch.obs[:, 0], batch.next_obs[:, 0], batch.obs[:, 2]
        assert np.array_equal(after, place + 1)
        assert np.array_equal(goal, batch.next_obs[:, 2])
        assert np.array_equal(batch.reward, reward_fn(after[:, None], goal[:, None]))
        replaced = goal >= 0
        assert (goal[replaced] > place[replaced]).all()
        assert (goal[replaced] // 100 == place[replaced] // 100).all()  # of the same episode
        assert np.array_equal(-goal[~replaced] - 1, place[~replaced] // 100)
        assert abs(replaced.mean() - relabel) < 0.06
        assert batch.terminated.sum() == 0
        np.testing.assert_allclose(batch.action[:, 0], place / 1000, rtol=1e-6)


def test_every_step_and_every_later_place_is_drawn_evenly():
    made = buffer(relabel=1.0)
    rows = [made.sample_batch() for _ in range(40)]
    place = np.concatenate([batch.obs[:, 0] for batch in rows])
    goal = np.concatenate([batch.obs[:, 2] for batch in rows])
    counts = np.unique(place, return_counts=True)
    assert len(counts[0]) == 9 and counts[1].max() < 1.2 * counts[1].min()
    first = np.unique(goal[place == 0], return_counts=True)
    assert first[0].tolist() == [1, 2, 3, 4, 5] and first[1].max() < 1.3 * first[1].min()


def test_an_episode_of_one_step_works():
    batch = buffer(lengths=(1,), relabel=1.0).sample_batch()
    assert (batch.obs[:, 2] == 1).all() and (batch.reward == 0).all()


def test_the_oldest_episode_is_overwritten_and_a_shorter_one_leaves_nothing_behind():
    made = buffer(lengths=(5, 5, 1), episodes=2)
    assert len(made) == 6
    place = made.sample_batch().obs[:, 0]
    assert set(place // 100) == {1, 2} and (place[place >= 200] == 200).all()


def test_samples_are_seeded():
    one, two, other = (buffer(seed=seed).sample_batch() for seed in (1, 1, 2))
    assert np.array_equal(one.obs, two.obs) and not np.array_equal(one.obs, other.obs)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"obs": np.zeros((3, 2))}, "obs"),
        ({"achieved": np.full((4, 1), np.nan)}, "achieved"),
        ({"action": np.zeros((0, 1))}, "action"),
        ({"action": np.zeros((9, 1))}, "action"),
        ({"goal": [1.0, 2.0]}, "goal"),
    ],
)
def test_an_episode_that_does_not_fit_is_refused_and_nothing_is_written(change, name):
    made = buffer()
    good = {"obs": np.zeros((4, 2)), "achieved": np.zeros((4, 1)),
            "action": np.zeros((3, 1)), "goal": [0.0]}  # fmt: skip
    before = made.stored, made.obs.copy()
    with pytest.raises(ValueError, match=f"^{name}: got .*expected"):
        made.store(**good | change)
    assert made.stored == before[0] and np.array_equal(made.obs, before[1])


@pytest.mark.parametrize(
    ("options", "name"),
    [({"relabel": 1.5}, "relabel"), ({"steps": 0}, "steps"), ({"episodes": 2.5}, "episodes")],
)
def test_bad_arguments_are_refused_by_name(options, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        buffer(lengths=(), **options)
    with pytest.raises(TypeError, match="^reward_fn: got .*expected"):
        HindsightBuffer(1, 1, 1, 1, 1, 1, None)
    with pytest.raises(ValueError, match="^sample_batch: got 0 episodes; expected"):
        buffer(lengths=()).sample_batch()


def test_normalizing_by_hand_and_clipping():
    made = Normalizer(2, clip=2.0)
    made.update([[0.0, 5.0], [4.0, 5.0]])  # means 2 and 5, deviations 2 and 0
    assert made([[4.0, 5.0], [8.0, 5.0]]).tolist() == [[1.0, 0.0], [2.0, 0.0]]
    assert made.deviation.tolist() == [2.0, 0.01]


def test_normalizing_in_parts_is_normalizing_at_once():
    rows = np.random.default_rng(0).normal(1_000, 3, (500, 4))
    whole, parts = Normalizer(4), Normalizer(4)
    whole.update(rows)
    for part in np.split(rows, [1, 7, 300]):
        parts.update(part)
    parts.update(np.zeros((0, 4)))
    np.testing.assert_allclose(parts.mean, rows.mean(axis=0))
    np.testing.assert_allclose(parts.deviation, rows.std(axis=0))
    np.testing.assert_allclose(whole.deviation, parts.deviation)


def test_bad_rows_are_refused_and_not_counted():
    made = Normalizer(2)
    for rows in ([1.0, 2.0], [[1.0]], [[1.0, np.inf]]):
        with pytest.raises(ValueError, match="^rows: got shape"):
            made.update(rows)
    assert made.count == 0


def test_final_takes_the_last_place_of_the_episode():
    batch = buffer(relabel=1.0, strategy="final").sample_batch()
    episode = batch.obs[:, 0] // 100
    assert np.array_equal(batch.obs[:, 2], 100 * episode + np.array([5, 1, 3])[episode.astype(int)])
