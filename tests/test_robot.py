import numpy as np
import pytest

pytest.importorskip("gymnasium_robotics")

from pgcourse import (
    PICK_AND_PLACE,
    DemoResets,
    HERAgent,
    make_env,
    pick_and_place,
    record_demos,
    register_bit_flip,
    successes,
)  # fmt: skip
from pgcourse.tasks.envs import drawing

SEED = 7


@pytest.fixture(scope="module")
def demo():
    return record_demos(pick_and_place, PICK_AND_PLACE, 3, SEED)


class Teacher:
    policy = staticmethod(pick_and_place)


def test_the_teacher_reaches_its_goals():
    assert successes(Teacher, PICK_AND_PLACE, range(20)).all()


def obs(gripper, block, fingers, goal):
    made = np.zeros(31)
    made[:3], made[3:6], made[9:11], made[-3:] = gripper, block, fingers, goal
    return made


def test_the_teachers_four_moves():
    block, goal, open_, closed = [0.0, 0.0, 0.4], [0.1, 0.0, 0.6], 0.05, 0.025
    assert pick_and_place(obs([0.1, 0.0, 0.5], block, open_, goal)).tolist() == pytest.approx(
        [-0.6, 0.0, -0.12, 1.0]
    )  # towards the place above the block
    assert pick_and_place(obs([0, 0, 0.45], block, open_, goal)).tolist() == pytest.approx(
        [0.0, 0.0, -0.3, 1.0]
    )  # down
    assert pick_and_place(obs(block, block, open_, goal)).tolist() == [0.0, 0.0, 0.0, -1.0]  # close
    assert pick_and_place(obs(block, block, closed, goal)).tolist() == pytest.approx(
        [0.6, 0.0, 1.0, -1.0]
    )  # carry
    with pytest.raises(ValueError, match="^obs: got shape"):
        pick_and_place(np.zeros(30))


def test_relabelled_rewards_are_the_environments_own(demo):
    env = make_env(PICK_AND_PLACE)
    agent = HERAgent(env, 20, 1_000, 500, demo=demo, seed=0)
    agent.train(100, 0)
    for memory in (agent.memory, agent.demo_memory):
        batch = memory.sample_batch()
        achieved = batch.next_obs[:, 3:6]  # where the block is
        assert np.array_equal(
            env.unwrapped.compute_reward(achieved, batch.obs[:, 25:], {}), batch.reward
        )


def test_starts_are_states_of_demonstrations_and_the_goal_is_where_they_ended(demo):
    env = DemoResets(make_env(PICK_AND_PLACE), demo, SEED, share=1.0)
    assert len(env.goals) == 3
    # Half of the demonstrated states have the block at its goal: nothing is left to learn there.
    open_rows = [
        np.linalg.norm(np.subtract(row[0][25:28], demo[k // 50 * 50 + 49][3][25:28])) > 0.05
        for k, row in enumerate(demo)
    ]
    assert len(env.states) == sum(open_rows) < 100
    ends = [demo[k][3][25:28] for k in (49, 99, 149)]
    places = np.array([row[0][:6] for row in demo])
    seen = set()
    for k in range(10):
        start, _ = env.reset(seed=0 if k == 0 else None)
        away = np.abs(places - start[:6]).max(axis=1)
        assert away.min() < 1e-3
        goal = np.abs(np.array(ends) - start[-3:]).max(axis=1)
        assert goal.min() < 1e-6 and goal.argmin() == away.argmin() // 50
        assert open_rows[away.argmin()]
        seen.add(int(away.argmin()))
    assert len(seen) > 5


def test_an_episode_that_starts_so_goes_on_as_the_demonstration_did(demo):
    env = DemoResets(make_env(PICK_AND_PLACE), demo, SEED, share=1.0)
    env.states = [env.states[10]]
    env.reset(seed=0)
    for row in demo[10:30]:
        after = env.step(np.float32(row[1]))[0]
    assert np.abs(after[:6] - np.array(demo[29][3][:6])).max() < 1e-3


def test_no_share_means_the_environments_own_starts(demo):
    env, plain = DemoResets(make_env(PICK_AND_PLACE), demo, SEED, 0.0), make_env(PICK_AND_PLACE)
    for seed in range(20):
        assert np.array_equal(env.reset(seed=seed)[0], plain.reset(seed=seed)[0])


def test_the_share_of_starts_in_demonstrations(demo):
    env = DemoResets(make_env(PICK_AND_PLACE), demo, SEED, share=0.3)
    goals = np.array(env.goals)
    env.reset(seed=0)
    starts = [env.reset()[0] for _ in range(150)]
    inside = np.mean([np.abs(goals - obs[-3:]).max(axis=1).min() < 1e-9 for obs in starts])
    assert 0.15 < inside < 0.45


def test_a_run_with_resets_goes_on_from_its_checkpoint(tmp_path, demo):
    def arm():
        return DemoResets(make_env(PICK_AND_PLACE), demo, SEED, share=1.0)

    options = {"hidden": (16,), "batch_size": 8, "demo_batch_size": 4, "demo": demo, "seed": 1}
    whole, first = HERAgent(arm(), 10, **options), HERAgent(arm(), 10, **options)
    whole.train(180, 0)
    first.train(150, 0)
    first.save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="environment is .*DemoResets.* and not .*; expected"):
        HERAgent(make_env(PICK_AND_PLACE), 10, **options).load(tmp_path / "a.pt")
    second = HERAgent(arm(), 10, **options)
    second.load(tmp_path / "a.pt")
    second.train(30, 0)
    assert np.array_equal(second.memory.obs, whole.memory.obs)
    pairs = zip(second.actor.parameters(), whole.actor.parameters(), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_demonstrations_of_another_seed_are_refused(demo):
    with pytest.raises(ValueError, match="^demo: got a transition 0 that does not"):
        DemoResets(make_env(PICK_AND_PLACE), demo, SEED + 1)
    with pytest.raises(ValueError, match="^demo: got 120 transitions; expected whole episodes"):
        DemoResets(make_env(PICK_AND_PLACE), demo[:120], SEED)
    with pytest.raises(TypeError, match="^env: got .*expected a MuJoCo environment"):
        DemoResets(make_env(register_bit_flip(2)), demo, SEED)


def test_a_film_where_something_can_draw_and_none_where_nothing_can(monkeypatch, demo):
    agent = HERAgent(DemoResets(make_env(PICK_AND_PLACE), demo, SEED), 10, 8, hidden=(8,))
    monkeypatch.setenv("MUJOCO_GL", "nothing")
    drawing.cache_clear()
    assert drawing() is None
    monkeypatch.delenv("MUJOCO_GL")
    drawing.cache_clear()  # else the answer of above is remembered
    if drawing() is None:
        pytest.skip("no EGL and no OSMesa here")
    episode = agent.test(seed=1)  # without the starts in demonstrations
    assert len(episode.frames) == 50 and episode.frames[0].std() > 10
