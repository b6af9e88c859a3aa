import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from pgcourse import Batch, DDPGAgent, OUNoise, evaluate, make_env
from pgcourse.agents.off_policy import descend
from tests import kinds
from tests.conftest import weights


class Corridor(gym.Env):
    """Ends for real after `length` steps if `terminates`, else by its time limit."""

    def __init__(self, length=4, terminates=True, reward=0.0, bad_obs=False):
        self.observation_space = Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = Box(-1.0, 1.0, (1,), np.float32)
        self.length, self.terminates, self.reward, self.bad_obs = (
            length,
            terminates,
            reward,
            bad_obs,
        )
        self.reset_seeds, self.actions, self.starts = [], [], []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.reset_seeds.append(seed)
        self.starts.append(self.np_random.uniform())
        self.t = 0
        return np.float32([self.starts[-1]]), {}

    def step(self, action):
        self.actions.append(np.array(action))
        self.t += 1
        end = self.t == self.length
        obs = np.float32([np.nan if self.bad_obs else self.t])
        return obs, self.reward, end and self.terminates, end and not self.terminates, {}


def learn(agent, name, batch):
    """Let one learner go down its loss, and return what there is to record."""
    loss, numbers = agent.learners[name].objective(batch)
    descend(agent.learners[name], loss)
    return {key: value.item() for key, value in numbers.items()}


def random_batch(rows=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    obs, next_obs = torch.randn(rows, 3, generator=g), torch.randn(rows, 3, generator=g)
    action = torch.rand(rows, 1, generator=g) * 2 - 1
    reward = torch.randn(rows, generator=g)
    return Batch(obs, action, reward, next_obs, torch.zeros(rows))


# --- 1. terminated cuts the bootstrap, truncated does not


def test_the_stored_transitions_are_the_ones_that_were_lived(make_agent):
    env = Corridor(length=3)
    agent = make_agent(env=env)
    agent.train(6)
    obs, action, _, next_obs, _ = (column[:6] for column in agent.memory.data)
    first, second = np.float32(env.starts[:2])
    assert obs[:, 0].tolist() == [first, 1, 2, second, 1, 2]
    assert next_obs[:, 0].tolist() == [1, 2, 3] * 2
    np.testing.assert_array_equal(action, env.actions)


@pytest.mark.parametrize("terminates", [True, False])
def test_only_a_real_end_is_stored_as_terminated(make_agent, terminates):
    agent = make_agent(env=Corridor(terminates=terminates))
    agent.train(8)
    expected = [0, 0, 0, float(terminates)] * 2
    assert agent.memory.data.terminated[:8].tolist() == expected
    assert agent.history.score_steps.tolist() == [4, 8]  # both kinds end the episode


def test_the_critic_learns_r_where_terminated_and_r_plus_gamma_v_where_truncated():
    def value_at_the_end(terminates):
        env = Corridor(length=1, terminates=terminates, reward=1.0)
        agent = DDPGAgent(env, 500, 16, 1.0, 0.1, gamma=0.5, tau=0.05, initial_random_steps=50)
        agent.train(700)
        batch = agent.sample()
        return agent.critic(batch.obs, batch.action).mean().item()

    assert value_at_the_end(True) == pytest.approx(1.0, abs=0.1)
    assert value_at_the_end(False) > 1.3  # on its way to 1 / (1 - gamma) = 2


# --- 2. the noise


def test_noise_is_gaussian_ou_and_reset_at_each_episode(make_agent):
    agent = make_agent(env=Corridor(length=5))
    assert type(agent.noise) is OUNoise
    resets = []
    agent.noise.reset = lambda: resets.append(agent.total_steps)
    agent.train(12)
    assert resets == [0, 5, 10]


def test_after_warm_up_actions_are_policy_plus_noise_clipped(make_agent):
    agent = make_agent(initial_random_steps=0)
    obs, noise = np.float32([1, 0, 0]), np.array([0.05])
    agent.noise.sample = lambda: noise
    np.testing.assert_allclose(agent.select_action(obs), agent.policy(obs) + noise, rtol=1e-6)
    noise[:] = 5.0
    assert agent.select_action(obs) == [1.0]


def test_the_policy_is_the_trained_actors_and_not_the_targets(make_agent):
    agent = make_agent()
    agent.actor = lambda obs: torch.full((*obs.shape[:-1], 1), 0.25)
    assert agent.policy(np.float32([1, 0, 0])).tolist() == [0.25]


# --- 3. every episode starts from a new state


def test_only_the_first_reset_is_seeded(make_agent):
    env = Corridor()
    make_agent(env=env).train(20)
    assert env.reset_seeds[0] is not None
    assert env.reset_seeds[1:] == [None] * 4
    assert len(set(env.starts)) == 5


# --- 4. warm-up


def test_warm_up_actions_are_uniform_on_the_whole_range_and_seeded(make_agent):
    def actions(seed):
        env = Corridor()
        agent = make_agent(seed=seed, env=env, initial_random_steps=4_000)
        for _ in range(4_000):  # without the updates that `train` would make
            agent.step(agent.select_action(np.zeros(1)))
        return np.array(env.actions)[:, 0]

    a = actions(0)
    assert a.min() >= -1 and a.max() <= 1
    counts = np.histogram(a, bins=8, range=(-1, 1))[0]
    assert abs(counts - 500).max() < 5 * np.sqrt(4_000 / 8 * 7 / 8)
    np.testing.assert_array_equal(a, actions(0))
    assert (a != actions(1)).all()


def test_warm_up_draws_every_dimension_of_an_action_on_its_own(make_agent):
    env = Corridor()
    env.action_space = Box(-1.0, 1.0, (2,), np.float32)
    agent = make_agent(env=env)
    actions = np.array([agent.select_action(np.zeros(1)) for _ in range(2_000)])
    assert abs(np.corrcoef(actions.T)[0, 1]) < 5 / np.sqrt(2_000)


def test_warm_up_lasts_initial_random_steps_and_then_the_policy_acts(make_agent):
    env = Corridor()
    agent = make_agent(env=env, initial_random_steps=3)
    agent.policy, agent.noise.sample = lambda obs: np.float32([0.5]), lambda: np.zeros(1)
    agent.train(6)
    assert [action[0] == 0.5 for action in env.actions] == [False] * 3 + [True] * 3


def test_one_update_a_step_as_soon_as_there_is_a_batch(make_agent):
    history = make_agent(initial_random_steps=50).train(60)
    assert history.loss_steps["critic_loss"].tolist() == list(range(16, 61))


# --- 5. gradients and target networks


def test_the_critic_update_leaves_actor_and_targets_alone(make_agent):
    agent = make_agent()
    before = [net.state_dict() for net in (agent.actor, agent.actor_target, agent.critic_target)]
    before = [{k: v.clone() for k, v in state.items()} for state in before]
    learn(agent, "critic", random_batch())
    for net, state in zip(
        (agent.actor, agent.actor_target, agent.critic_target), before, strict=True
    ):
        assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
        assert all(p.grad is None for p in net.parameters())


def test_the_actor_update_leaves_no_gradient_in_the_critic(make_agent):
    agent = make_agent()
    learn(agent, "actor", random_batch())
    assert all(p.grad is None for p in agent.critic.parameters())
    assert all(p.grad.abs().sum() > 0 for p in agent.actor.parameters())


def test_the_actor_update_does_not_move_the_critic(make_agent):
    agent = make_agent()
    learn(agent, "critic", random_batch())  # now the critic holds a gradient of its own
    before = [p.clone() for p in agent.critic.parameters()]
    learn(agent, "actor", random_batch())
    assert all(torch.equal(p, q) for p, q in zip(agent.critic.parameters(), before, strict=True))


def test_every_update_follows_the_gradient_of_its_own_batch_alone(make_agent):
    agent, batch = make_agent(), random_batch(seed=1)
    batch = batch._replace(terminated=torch.ones(16))  # the critic's target is the reward
    learn(agent, "critic", random_batch())
    learn(agent, "actor", random_batch())
    error = agent.critic(batch.obs, batch.action) - batch.reward
    for loss, network, name in (
        (agent.actor_objective(batch)[0], agent.actor, "actor"),
        ((error**2).mean(), agent.critic, "critic"),
    ):
        expected = torch.autograd.grad(loss, list(network.parameters()))
        learn(agent, name, batch)
        for p, gradient in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(p.grad, gradient)


def test_the_actor_is_judged_by_the_trained_critic(make_agent):
    agent = make_agent()
    agent.critic = lambda obs, action: 3.0 + 0.0 * action[:, 0]
    assert agent.actor_objective(random_batch())[0].item() == -3.0


def test_an_actor_update_raises_q_and_a_critic_update_lowers_its_loss(make_agent):
    agent, batch = make_agent(), random_batch()
    learn(agent, "critic", batch)
    first = learn(agent, "actor", batch)["actor_loss"]
    assert learn(agent, "actor", batch)["actor_loss"] < first
    first = learn(agent, "critic", batch)["critic_loss"]
    assert learn(agent, "critic", batch)["critic_loss"] < first


def test_targets_start_equal_and_follow_by_tau(make_agent):
    agent = make_agent(tau=0.25)
    pairs = ((agent.actor_target, agent.actor), (agent.critic_target, agent.critic))
    for slow, fast in pairs:
        for p, q in zip(slow.parameters(), fast.parameters(), strict=True):
            assert torch.equal(p, q) and p is not q
    agent.memory.extend([(np.ones(3), [0.5], 1.0, np.ones(3), False)] * 20)
    start = [[p.clone() for p in slow.parameters()] for slow, _ in pairs]
    agent.update_model()
    for (slow, fast), old in zip(pairs, start, strict=True):
        for p, q, o in zip(slow.parameters(), fast.parameters(), old, strict=True):
            torch.testing.assert_close(p, o + 0.25 * (q - o))


def test_the_target_is_made_by_both_target_networks(make_agent):
    agent, batch = make_agent(), random_batch()
    agent.actor_target = lambda obs: torch.full((len(obs), 1), 0.5)
    agent.critic_target = lambda obs, action: 200.0 * action[:, 0]  # 100 for the target's action
    with torch.no_grad():
        expected = (agent.critic(batch.obs, batch.action) - (batch.reward + 99.0)) ** 2
    assert learn(agent, "critic", batch)["critic_loss"] == pytest.approx(expected.mean().item())


# --- 8. separate environments and streams; seeds


def test_the_same_seed_gives_the_same_weights_and_another_does_not(make_agent):
    def trained(seed):
        agent = make_agent(seed=seed)
        agent.train(120)
        return weights(agent)

    torch.manual_seed(1)
    first = trained(3)
    torch.manual_seed(2)  # the global stream has no say
    np.random.seed(2)
    assert torch.equal(first, trained(3))
    assert not torch.equal(first, trained(4))


def test_evaluation_and_test_do_not_touch_training(make_agent):
    plain, watched = make_agent(seed=1), make_agent(seed=1)
    plain.train(300)
    watched.train(130)
    evaluate(watched, "Pendulum-v1", [1, 2])
    watched.test(seed=5)
    watched.train(170)
    assert torch.equal(weights(plain), weights(watched))
    assert plain.history == watched.history


def test_making_an_agent_leaves_the_global_streams_alone(make_agent):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    make_agent()
    assert (torch.rand(1), np.random.rand()) == expected


def test_training_in_pieces_is_training_at_once(make_agent):
    whole, pieces = make_agent(seed=2), make_agent(seed=2)
    whole.train(250)
    for n in (1, 99, 101, 49):
        pieces.train(n)
    assert torch.equal(weights(whole), weights(pieces))
    assert whole.history == pieces.history


# --- 9. bad input


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"memory_size": 0}, "size"),
        ({"batch_size": 1_000}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"ou_noise_theta": -1.0}, "theta"),
        ({"ou_noise_sigma": float("nan")}, "sigma"),
        ({"gamma": 1.5}, "gamma"),
        ({"tau": -0.1}, "tau"),
        ({"initial_random_steps": -1}, "initial_random_steps"),
        ({"seed": 0.5}, "seed"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    good = {"memory_size": 100, "batch_size": 10, "ou_noise_theta": 1.0, "ou_noise_sigma": 0.1}
    with pytest.raises((TypeError, ValueError), match=f"{name}: got .*expected"):
        DDPGAgent(make_env("Pendulum-v1"), **(good | changes))


@pytest.mark.parametrize(
    ("env", "name"),
    [(Corridor(reward=float("inf")), "reward"), (Corridor(bad_obs=True), "next_obs")],
)
def test_numbers_from_the_environment_must_be_finite(make_agent, env, name):
    with pytest.raises(ValueError, match=f"^{name}: got"):
        make_agent(env=env).train(10)


@pytest.mark.parametrize("frames", [0, -5, 10.0])
def test_train_refuses_a_bad_number_of_frames(make_agent, frames):
    with pytest.raises((TypeError, ValueError), match="^num_frames: got"):
        make_agent().train(frames)


# --- the parts together


def test_a_short_run_learns_a_one_step_task(make_agent):
    """Reward -(a - 0.5)^2: the best action is 0.5."""

    class Aim(Corridor):
        def step(self, action):
            obs, _, terminated, truncated, info = super().step(action)
            return obs, -float((action[0] - 0.5) ** 2), terminated, truncated, info

    agent = make_agent(env=Aim(length=1), initial_random_steps=200)
    agent.train(900)
    assert agent.policy(np.float32([0.5])) == pytest.approx(0.5, abs=0.15)


def test_update_model_reports_both_losses_and_train_records_them(make_agent):
    agent = make_agent()
    history = agent.train(60)
    assert set(history.losses) == {"critic_loss", "actor_loss"}
    assert all(len(values) == 45 for values in history.losses.values())


def test_test_gives_an_episode_with_its_score_and_frames(make_agent):
    agent = make_agent()
    episode = agent.test(seed=10_000)
    assert episode.score == pytest.approx(evaluate(agent, "Pendulum-v1", [10_000])[0], abs=0.1)
    assert len(episode.frames) == 200 and not episode.terminated
    assert episode.frames[0].shape == (500, 500, 3) and episode.frames[0].dtype == np.uint8


def test_step_returns_the_two_kinds_of_end_and_starts_the_next_episode(make_agent):
    agent = make_agent(env=Corridor(length=1, terminates=False, reward=2.0))
    next_obs, reward, terminated, truncated = agent.step(np.float32([0.0]))
    assert (next_obs.tolist(), reward, terminated, truncated) == ([1.0], 2.0, False, True)
    assert agent.step(np.float32([0.0]))[3]
    assert agent.history.scores.tolist() == [2.0, 2.0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda(make_agent):
    agent = make_agent(device="cuda")
    agent.train(60)
    assert weights(agent).is_cuda


def test_adam_with_amsgrad_at_3e_4_for_the_actor_and_1e_3_for_the_critic(make_agent):
    agent = make_agent()
    pairs = (
        (agent.learners["actor"].optimizer, agent.actor, 3e-4),
        (agent.learners["critic"].optimizer, agent.critic, 1e-3),
    )
    for optimizer, network, lr in pairs:
        (group,) = optimizer.param_groups
        assert type(optimizer) is torch.optim.Adam and group["amsgrad"] and group["lr"] == lr
        assert all(p is q for p, q in zip(group["params"], network.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["DDPG", "BC", "HER"])
def test_the_slow_networks_value_the_slow_actors_action_in_the_next_state(kind):
    agent = kinds.make(kind)
    agent.train(60, plotting_interval=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights so large that it matters who acts, and where
        for network in (agent.actor, agent.critic, agent.actor_target, agent.critic_target):
            for weight in network.parameters():
                weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
        agent.critic_target.net[-1].bias.fill_(-20.0)  # HER's targets lie between -50 and 0
        batch = agent.sample()
        slow = agent.critic_target(batch.next_obs, agent.actor_target(batch.next_obs))
        target = batch.reward + agent.gamma * (1 - batch.terminated) * slow
        if kind == "HER":
            target = target.clamp(-1 / (1 - agent.gamma), 0)
        wanted = ((agent.critic(batch.obs, batch.action) - target) ** 2).mean()
        for other, obs in ((agent.actor, batch.next_obs), (agent.actor_target, batch.obs)):
            changed = agent.critic_target(batch.next_obs, other(obs))
            assert (changed - slow).abs().mean() > 0.01  # the test would see it
    assert torch.isclose(agent.critic_objective(batch)[0], wanted)
