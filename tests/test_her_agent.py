import gymnasium as gym
import numpy as np
import pytest
import torch

from pgcourse import HERAgent, make_env, record_demos, register_bit_flip, successes
from pgcourse.agents.her import whole_episodes
from pgcourse.parts.equations import clip_target
from pgcourse.tasks.bits import BitFlip
from pgcourse.tasks.envs import split_obs
from tests.kinds import bit_demo

BITS = 4
SMALL = {"hidden": (16,), "batch_size": 8}


def solver(obs):
    """Flip the first wrong bit."""
    return (obs[:BITS] != obs[-BITS:]) - np.linspace(0.0, 0.5, BITS)


def env():
    return make_env(register_bit_flip(BITS))


@pytest.fixture(scope="module")
def demo():
    return record_demos(solver, register_bit_flip(BITS), 5, 0)


def agent(demo=(), **options):
    imitates = {"demo": demo, "demo_batch_size": 4} if demo else {}
    return HERAgent(env(), 20, seed=0, **SMALL | imitates | options)


def weights(made):
    return torch.cat([p.flatten() for p in (*made.actor.parameters(), *made.critic.parameters())])


def test_clipping_targets():
    got = clip_target(torch.tensor([-60.0, -50.0, -0.5, 3.0]), 0.98)
    assert torch.allclose(got, torch.tensor([-50.0, -50.0, -0.5, 0.0]))
    with pytest.raises(ValueError, match=r"^gamma: got 1\.0; expected"):
        clip_target(torch.zeros(2), 1.0)
    with pytest.raises(ValueError, match="expected"):
        clip_target(torch.zeros(2, 1), 0.9)


def test_targets_are_clipped_only_if_asked_for():
    losses = []
    for clipped in (True, False):
        made = agent(clipped=clipped)
        made.train(BITS * 5, 0)
        batch = made.sample()
        with torch.no_grad():
            made.critic_target.net[-1].bias.fill_(1_000.0)
            made.critic.net[-1].weight.zero_()
            made.critic.net[-1].bias.zero_()
        losses.append(made.critic_objective(batch)[0].item())
    assert losses[0] == 0.0 and losses[1] > 900_000


def test_the_networks_see_observation_and_goal_and_not_the_achieved_goal():
    made = agent()
    assert made.actor.net[0].in_features == 2 * BITS
    obs = env().reset(seed=0)[0]
    other = obs.copy()
    other[BITS : 2 * BITS] = 0.7
    assert np.array_equal(made.policy(obs), made.policy(other))
    other[-1] = 1.0 - other[-1]
    assert not np.array_equal(made.policy(obs), made.policy(other))
    rows = np.stack([obs, other])
    assert made.policy(rows).shape == (2, BITS)


def test_inputs_are_normalised_only_if_asked_for():
    seen = np.full(2 * BITS, 3.0)
    made = agent(normalized=False)
    made.train(BITS * 3, 0)
    assert np.array_equal(made.inputs(seen), seen.astype(np.float32))
    made = agent()
    made.train(BITS * 3, 0)
    expected = (3.0 - made.normalizer.mean) / made.normalizer.deviation
    assert np.allclose(made.inputs(seen), np.clip(expected, -5, 5), atol=1e-5)
    assert made.normalizer.count == 2 * 3 * (BITS + 1)
    obs = np.concatenate([np.ones(BITS), np.full(BITS, 9.0), np.zeros(BITS)])
    seen = np.concatenate([np.ones(BITS), np.zeros(BITS)])
    by_hand = (seen - made.normalizer.mean) / made.normalizer.deviation
    with torch.no_grad():
        expected = made.actor(torch.tensor(by_hand[None], dtype=torch.float32))
    assert np.allclose(made.policy(obs), expected.numpy()[0], atol=1e-6)
    possible = np.stack(
        [(bit - made.normalizer.mean) / made.normalizer.deviation for bit in (0, 1)]
    )
    for rows in (made.sample().obs.numpy(), made.sample().next_obs.numpy()):
        assert np.abs(rows[:, None] - np.clip(possible, -5, 5)).min(axis=1).max() < 1e-5


def test_only_whole_episodes_are_stored_with_their_goal():
    made = agent()
    made.train(BITS * 2 + 1, 0)
    assert len(made.memory) == BITS * 2 and made.memory.stored == 2
    assert len(made.episode_obs) == 2
    assert np.array_equal(made.memory.obs, made.memory.achieved)
    flips = np.abs(np.diff(made.memory.obs[:2], axis=1)).sum(axis=2)
    assert (flips == 1).all()
    assert np.array_equal(made.memory.action[0].argmax(axis=1),
                          np.abs(np.diff(made.memory.obs[0], axis=0)).argmax(axis=1))  # fmt: skip


def test_a_batch_is_replayed_rows_then_demonstrations(demo):
    made = agent(demo, relabel=0.0, normalized=False)
    made.train(BITS * 3, 0)
    batch = made.sample()
    assert batch.obs.shape == (12, 2 * BITS) and batch.reward.shape == (12,)
    goals = {tuple(row[0][-BITS:]) for row in demo}
    assert all(tuple(goal) in goals for goal in batch.obs[8:, BITS:].numpy())
    assert len(made.demo_memory) == len(demo) == 5 * BITS


@pytest.mark.parametrize(("changes", "share"), [({}, 0.8), ({"demo_relabel": 0.0}, 0.0)])
def test_the_share_of_demonstrated_goals_that_are_replaced(demo, changes, share):
    made = agent(demo, normalized=False, **changes)
    made.train(BITS * 3, 0)
    assert made.memory.relabel == 0.8 and made.demo_memory.relabel == share
    goals = {tuple(row[0][-BITS:]) for row in demo}
    drawn = [tuple(goal) for _ in range(20) for goal in made.sample_demo().obs[:, BITS:].numpy()]
    assert all(goal in goals for goal in drawn) == (share == 0.0)


def test_the_actors_loss_by_hand(demo):
    made = agent(demo, lambda1=0.5, lambda2=2.0, action_penalty=3.0, q_filter=False)
    made.train(BITS * 3, 0)
    batch = made.sample()
    action = made.actor(batch.obs)
    q = made.critic(batch.obs, action)
    cloning = ((action - batch.action)[8:] ** 2).sum(dim=1).mean()
    expected = 0.5 * (-q.mean() + 3.0 * (action**2).mean()) + 2.0 * cloning
    loss, record = made.actor_objective(batch)
    assert torch.isclose(loss, expected) and record["pass_rate"] == 1.0
    made.q_filter = True
    mask = (made.critic(batch.obs, batch.action) > q)[8:].float()
    loss, record = made.actor_objective(batch)
    assert torch.isclose(record["pass_rate"], mask.mean()) and 0 < mask.mean() < 1
    far = ((action - batch.action)[8:] ** 2).sum(dim=1)
    assert torch.isclose(loss, expected - 2.0 * cloning + 2.0 * (mask * far).mean())
    assert not torch.isclose((mask * far).mean(), ((1 - mask) * far).mean())


def test_exploring_actions_are_uniform_as_often_as_asked():
    obs = env().reset(seed=0)[0]
    made = agent(epsilon=0.3, ou_noise_sigma=0.0)
    own = made.policy(obs)
    uniform = np.mean([not np.allclose(made.select_action(obs), own) for _ in range(1_000)])
    assert abs(uniform - 0.3) < 0.05


def test_hindsight_learns_what_ddpg_does_not():
    """Six bits: about ten times as many states as an episode has steps."""
    name, scores = register_bit_flip(6), []
    for relabel in (0.8, 0.0):
        made = HERAgent(
            make_env(name), 500, 128, relabel=relabel, hidden=(64, 64), actor_lr=3e-3,
            critic_lr=3e-3, tau=5e-3,
            epsilon=0.3, ou_noise_sigma=0.2, lambda1=1.0, action_penalty=0.0, seed=0,
        )  # fmt: skip
        made.train(250 * 6, 0)
        scores.append(successes(made, name, range(10_000, 10_050)).mean())
    assert scores[0] > 0.6 and scores[1] < 0.3, scores


@pytest.mark.parametrize("steps", [BITS * 6, BITS * 8])
def test_a_run_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path, demo, steps):
    whole = agent(demo)
    whole.train(BITS * 12, 0)
    first = agent(demo)
    first.train(steps, 0)
    first.save(tmp_path / "a.pt")
    second = agent(demo)
    second.load(tmp_path / "a.pt")
    assert second.normalizer.count == first.normalizer.count
    assert second.demo_memory.stored == 5
    second.train(BITS * 12 - steps, 0)
    assert torch.equal(weights(second), weights(whole))


def test_cutting_demonstrations_into_episodes(demo):
    whole = whole_episodes(demo, 3 * BITS, BITS, BITS)
    assert [(len(obs), len(action)) for obs, action in whole] == [(BITS + 1, BITS)] * 5
    assert whole[1][0][0] == demo[BITS][0] and whole[1][0][-1] == demo[2 * BITS - 1][3]
    row = ([0.0], [0.0], -1.0, [0.0], False)  # an episode that ends where the next one starts
    assert [len(a) for _, a in whole_episodes([row] * 6, 1, 1, 3)] == [3, 3]
    state, achieved, goal = split_obs(np.arange(7.0), 2)
    assert (state.tolist(), achieved.tolist(), goal.tolist()) == ([0, 1, 2], [3, 4], [5, 6])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"relabel": 2.0}, "relabel"),
        ({"strategy": "past"}, "strategy"),
        ({"epsilon": -1}, "epsilon"),
        ({"hidden": (0,)}, "hidden"),
        ({"actor_lr": -1.0}, "actor_lr"),
        ({"action_penalty": -1}, "action_penalty"),
        ({"clipped": 1}, "clipped"),
        ({"normalized": None}, "normalized"),
        ({"demo_batch_size": 4}, "demo"),
        ({"pretrain": 4}, "demo_batch_size"),
        ({"pretrain": 0.5}, "pretrain"),
        ({"q_filter": "hard"}, "q_filter"),
        ({"demo_batch_size": 4, "demo": bit_demo(), "demo_relabel": 2.0}, "demo_relabel"),
        ({"demo_batch_size": 4, "demo": [(1, 2)]}, "transitions"),
        ({"lambda2": "1"}, "lambda2"),
        ({"episodes": 0}, "episodes"),
        ({"batch_size": 0}, "batch_size"),
        ({"hidden": 64}, "hidden"),
        ({"demo": [(1, 2)]}, "demo_batch_size"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        HERAgent(**{"env": env(), "episodes": 20, "batch_size": 8} | options)


def test_an_environment_without_goals_is_refused():
    with pytest.raises(TypeError, match="^env: got .*expected an environment with goals"):
        HERAgent(make_env("Pendulum-v1"), 20)


def test_other_rewards_and_true_ends_are_refused():
    for reward, terminated in ((1.0, False), (-0.5, False), (-1.0, True)):
        made = agent()
        made.reset()
        with pytest.raises(ValueError, match="^env: got reward .*expected what its compute_reward"):
            made.remember(np.zeros(BITS), reward, made.obs, terminated)


class ZeroOne(BitFlip):
    def compute_reward(self, achieved, goal, info):
        return 1.0 + super().compute_reward(achieved, goal, info)


def test_rewards_of_0_and_1_are_refused_at_once():
    gym.register("ZeroOne-v0", ZeroOne, kwargs={"bits": BITS}, max_episode_steps=BITS)
    with pytest.raises(ValueError, match=r"^env: got a reward of 1\.0 .*expected rewards in"):
        HERAgent("ZeroOne-v0", 20, **SMALL)


def test_a_reward_wrapper_is_refused_by_name():
    made = gym.wrappers.TransformReward(env(), lambda reward: 10 * reward)
    with pytest.raises(ValueError, match="^env: got the wrapper TransformReward, which hindsight"):
        HERAgent(made, 20, **SMALL)


def test_a_buffer_with_less_room_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="^episodes: got 20 of 4 steps, fewer than batch_size 81"):
        agent(batch_size=81)
    agent(batch_size=80)
