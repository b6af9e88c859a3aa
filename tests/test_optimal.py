import functools
import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from pgcourse import OptimalAgent, evaluate, optimal_values
from pgcourse.tasks import pendulum
from pgcourse.tasks.pendulum import (
    dynamics,
    grid,
    interpolate,
    optimal_q,
    policy_values,
    soft_values,
    swing,
)

PANEL = range(10_000, 10_100)


def optimal_return(seeds, values=None):
    return evaluate(OptimalAgent(values), "Pendulum-v1", seeds)


def test_dynamics_are_gymnasiums():
    env = gym.make("Pendulum-v1").unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        angle, velocity, torque = rng.uniform([-math.pi, -8, -2], [math.pi, 8, 2])
        env.state = np.array([angle, velocity])
        _, expected, _, _, _ = env.step(np.array([torque]))
        reward, next_angle, next_velocity = dynamics(*map(torch.tensor, (angle, velocity, torque)))
        turn = (env.state[0] - next_angle.item() + math.pi) % (2 * math.pi) - math.pi
        assert reward.item() == pytest.approx(expected, abs=1e-5)
        assert turn == pytest.approx(0.0, abs=1e-5)
        assert next_velocity.item() == pytest.approx(env.state[1], abs=1e-5)


def test_interpolation_is_exact_on_a_plane_and_meets_itself_at_the_bottom():
    angle, velocity = torch.linspace(-math.pi, math.pi, 7), torch.linspace(-8, 8, 5)
    plane = 2 * angle[:, None] - 3 * velocity
    x, y = torch.tensor([[0.3, -1.7, 3.1]]), torch.tensor([[-7.9, 0.2, 8.0]])
    assert torch.allclose(interpolate(plane, x, y), 2 * x - 3 * y, atol=1e-5)
    value = optimal_values(angles=21, velocities=21, torques=3)[-1]
    assert torch.allclose(value[0], value[-1], atol=1e-2)  # -π and π are one place


def test_with_no_and_one_step_to_go_by_hand():
    values = optimal_values(angles=3, velocities=3, torques=3)
    assert (values[0] == 0).all()
    # One step to go: the reward of torque 0. At (0, 0) nothing, at (π, 8) the worst there is.
    assert values[1][1, 1] == 0.0
    assert values[1][2, 2].item() == pytest.approx(-(math.pi**2 + 6.4))


def test_the_discount_multiplies_the_next_value():
    value = torch.full((3, 3), -10.0)
    zero = torch.zeros(1)
    assert optimal_q(value, zero, zero, zero, 0.9).item() == pytest.approx(-9.0)


def test_finer_grids_converge_to_the_reference():
    grids = [optimal_values(1.0, 51, 51), optimal_values(1.0, 101, 101), optimal_values(1.0)]
    means = [optimal_return(PANEL, values).mean() for values in grids]
    assert grids[-1].shape == (201, 201, 201)
    assert means[0] < means[1] < means[2]
    assert means[2] - means[1] < 0.6 * (means[1] - means[0])
    assert means == pytest.approx([-129.1, -127.1, -126.5], abs=0.15)


def test_the_default_is_within_one_of_the_reference():
    assert abs(optimal_return(PANEL).mean() - -126.3) < 1.0


def test_the_grid_promises_what_the_environment_pays():
    agent = OptimalAgent()
    env = gym.make("Pendulum-v1")
    starts = []
    for seed in PANEL:
        env.reset(seed=seed)
        starts.append(env.unwrapped.state)
    angle, velocity = torch.tensor(np.array(starts), dtype=torch.float32).T[:, None]
    angle = torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
    promised = interpolate(agent.values[-1], angle, velocity)[0].numpy()
    assert abs(promised - optimal_return(PANEL)).mean() < 5.0


def test_the_agent_plays_any_number_of_episodes_and_single_observations():
    agent = OptimalAgent()
    first = evaluate(agent, "Pendulum-v1", [0, 1])
    assert np.array_equal(evaluate(agent, "Pendulum-v1", [0, 1]), first)
    assert agent.policy(np.array([1.0, 0.0, 0.0], dtype=np.float32)).shape == (1,)


def test_the_agent_knows_how_many_steps_are_left():
    agent, tilted = OptimalAgent(), np.array([math.cos(0.5), math.sin(0.5), 0.0])
    assert abs(agent.policy(tilted)[0]) > 0.5  # 200 to go: push
    agent.to_go = 1
    assert abs(agent.policy(tilted)[0]) < 1e-6  # one to go: a push costs and helps nobody


def test_values_are_computed_once():
    assert optimal_values(1.0, 3, 3, 3) is optimal_values(1.0, 3, 3, 3)


def test_the_stationary_values_have_settled():
    values = optimal_values(gamma=0.99, angles=51, velocities=51)
    assert (values[-1] - values[-2]).abs().max() < 0.01 * values[-1].abs().max()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"gamma": 1.1}, "gamma"), ({"angles": 1}, "angles"), ({"torques": 2.5}, "torques")],
)
def test_bad_arguments_are_refused_by_name(arguments, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        optimal_values(**arguments)


def test_the_agent_takes_values_with_their_discount_and_refuses_other_shapes(monkeypatch):
    coarse = functools.cache(lambda gamma: optimal_values(gamma, 21, 21))
    monkeypatch.setattr(pendulum, "optimal_values", coarse)
    assert OptimalAgent(gamma=0.5).values is coarse(0.5)
    with pytest.raises(ValueError, match=r"^values: got shape \(21, 21\); expected \(201, angles"):
        OptimalAgent(coarse(1.0)[-1])
    far = np.array([math.cos(2.0), math.sin(2.0), 0.0])  # a greedy agent only saves its torque
    assert abs(OptimalAgent(gamma=0.0).policy(far)[0]) < 1e-6 < abs(OptimalAgent().policy(far)[0])


class Push:
    """Pushes with half of full torque."""

    def policy(self, obs):
        return np.array([0.5], dtype=np.float32)


def test_a_swing_starts_where_it_is_told_and_goes_on_as_the_dynamics_say():
    rows = swing(Push(), angle=math.pi - 0.01, velocity=1.0)
    assert rows.shape == (200, 4) and rows[0, :2] == pytest.approx([math.pi - 0.01, 1.0])
    assert (rows[:, 2] == 1.0).all() and (np.abs(rows[:, 0]) <= math.pi).all()
    reward, angle, velocity = dynamics(*map(torch.tensor, rows[:-1, :3].T))
    assert reward.numpy() == pytest.approx(rows[:-1, 3], abs=1e-5)
    assert velocity.numpy() == pytest.approx(rows[1:, 1], abs=1e-5)
    turn = (angle.numpy() - rows[1:, 0] + math.pi) % (2 * math.pi) - math.pi
    assert np.abs(turn).max() < 1e-5


@pytest.mark.parametrize("start", [(math.nan, 0.0), (0.0, 9.0)])
def test_a_swing_from_nowhere_is_refused(start):
    with pytest.raises(ValueError, match="angle|velocity"):
        swing(Push(), *start)


class Pump:
    """Pushes the way the rod goes, gently; a policy with a jump would smear on a grid."""

    def policy(self, obs):
        return 0.4 * np.tanh(obs[:, 2:])


def test_a_policys_values_are_what_a_long_episode_pays():
    starts = torch.tensor([[0.2, 0.5], [-0.4, 2.0], [3.0, -1.0], [1.5, -6.0], [-2.0, 0.0]])
    angle, velocity = starts.T
    values, paid = policy_values(Pump(), 0.9, 401, 401), torch.zeros(len(starts))
    promised = interpolate(values, angle[None], velocity[None])[0]
    for k in range(150):
        obs = torch.stack([angle.cos(), angle.sin(), velocity], dim=1).numpy()
        torque = 2.0 * torch.from_numpy(Pump().policy(obs)).float().clamp(-1, 1)[:, 0]
        reward, angle, velocity = dynamics(angle, velocity, torque)
        paid += 0.9**k * reward
    assert torch.allclose(promised, paid, rtol=0.02, atol=0.05)
    assert (paid < -0.1).all()


def test_no_policy_is_better_than_the_optimum_and_the_best_one_is_as_good():
    best = optimal_values(0.9, 101, 101)
    assert (policy_values(Pump(), 0.9, 101, 101) <= best[-1] + 0.05).all()
    greedy = OptimalAgent(best, 0.9)
    greedy.policy = lambda obs, act=greedy.policy: (setattr(greedy, "to_go", 0), act(obs))[1]
    gap = best[-1] - policy_values(greedy, 0.9, 101, 101)
    assert gap.abs().max() < 0.01


@pytest.mark.parametrize(
    ("name", "value"), [("gamma", 1.5), ("angles", 1), ("velocities", 0), ("steps", 0)]
)
def test_a_policy_is_evaluated_on_sound_grids_only(name, value):
    with pytest.raises(ValueError, match=f"^{name}: got"):
        policy_values(Pump(), **{"gamma": 0.9} | {name: value})


def test_soft_values_are_the_fixed_point_of_their_equation():
    value, chance = soft_values(0.9, 2.0, 31, 31, 11)
    assert value.shape == (31, 31) and chance.shape == (31, 31, 11)
    torque = 2.0 * torch.tensor([(2 * k + 1) / 11 - 1 for k in range(11)])
    q = optimal_q(value, *grid(31, 31), torque, 0.9).reshape(31, 31, 11)
    density = chance * 11 / 2  # of actions in [-1, 1]
    again = (chance * (q - 2.0 * density.log())).sum(dim=-1)  # 05 Eq. 2
    assert (again - value).abs().max() < 0.02
    assert torch.allclose(chance.sum(dim=-1), torch.ones(31, 31))


def test_a_cold_soft_value_is_the_optimum_and_a_hot_policy_is_even():
    cold, _ = soft_values(0.9, 1e-3, 31, 31, 21)
    torque, best = 2.0 * torch.linspace(-20 / 21, 20 / 21, 21), torch.zeros(31, 31)
    for _ in range(200):
        best = optimal_q(best, *grid(31, 31), torque, 0.9).amax(dim=1).reshape(31, 31)
    assert (cold - best).abs().max() < 0.05
    _, chance = soft_values(0.9, 1e4, 31, 31, 21)
    assert (chance - 1 / 21).abs().max() < 1e-3


@pytest.mark.parametrize("bad", [{"gamma": 1.0}, {"alpha": 0.0}, {"torques": 1}, {"angles": 1}])
def test_soft_values_refuse(bad):
    with pytest.raises(ValueError, match="cells" if "torques" in bad else next(iter(bad))):
        soft_values(**{"gamma": 0.9, "alpha": 1.0} | bad)
