"""The linear task: three ways to the same gradient, and values against what came."""

import pytest
import torch
from torch.distributions import Normal

from pgcourse.parts.returns import gaussian_log_density
from pgcourse.tasks.linear import (
    HORIZON,
    THETA,
    advantages,
    estimates,
    exact_gradient,
    exact_values,
    expected_return,
    play_linear,
    scores,
    spread_and_bias,
)

OTHER = torch.tensor([0.9, 0.6, -0.4], dtype=torch.float64)
EVERY = [("total", 1.0), ("to go", 1.0), ("gae", 1.0), ("gae", 0.95), ("gae", 0.5), ("gae", 0.0)]


def played(n=4_000, theta=THETA):
    return play_linear(n, torch.Generator().manual_seed(0), theta)


@pytest.mark.parametrize("theta", [THETA, OTHER])
def test_the_exact_gradient_is_that_of_differences(theta):
    for k in range(3):
        step = torch.zeros(3, dtype=theta.dtype)
        step[k] = 1e-5
        slope = (expected_return(theta + step) - expected_return(theta - step)) / 2e-5
        assert exact_gradient(theta)[k].item() == pytest.approx(slope.item(), rel=1e-6)


@pytest.mark.parametrize("theta", [THETA, OTHER])
def test_the_exact_return_and_values_are_what_comes_on_average(theta):
    found = played(20_000, theta)
    came = found.reward.sum(dim=0)
    error = came.std() / len(came) ** 0.5
    assert abs(came.mean() - expected_return(theta)) < 4 * error
    value = exact_values(found.state, theta)
    assert abs(value[0].mean() - expected_return(theta)) < 4 * error
    # The TD error of an exact value is 0 on average, at every step and in every direction.
    td = found.reward + value[1:] - value[:-1]
    for weight in (torch.ones_like(td), found.state[:-1, :, 0] ** 2, found.state[:-1, :, 1]):
        each = td * weight
        assert (each.mean(dim=1).abs() < 4.5 * each.std(dim=1) / each.shape[1] ** 0.5).all()
    assert value.shape == (HORIZON + 1, 20_000) and not value[-1].any()


@pytest.mark.parametrize("theta", [THETA, OTHER])
def test_scores_are_the_gradient_of_the_course_s_log_density(theta):
    found, theta = played(5, theta), theta.clone().requires_grad_()
    for t in (0, 30):
        for k in range(5):
            mean = -(found.state[t, k] @ theta[:2])[None, None]
            action = found.action[t, k][None, None]
            log_density = gaussian_log_density(action, mean, theta[2:]).sum()
            other = Normal(mean, theta[2].exp()).log_prob(action).sum()
            assert log_density.item() == pytest.approx(other.item())
            (grad,) = torch.autograd.grad(log_density, theta)
            assert torch.allclose(scores(found, theta.detach())[t, k], grad)


@pytest.mark.parametrize(("kind", "lam"), EVERY)
def test_every_estimator_with_an_exact_value_is_right_on_average(kind, lam):
    found = played(20_000)
    each, truth = estimates(found, advantages(found, kind, lam)), exact_gradient()
    error = each.std(dim=0) / len(each) ** 0.5
    assert ((each.mean(dim=0) - truth).abs() < 4 * error).all()


def test_spread_falls_from_row_to_row():
    found, truth = played(), exact_gradient()
    spreads = [
        spread_and_bias(estimates(found, advantages(found, *each)), truth)[0] for each in EVERY
    ]
    assert spreads == sorted(spreads, reverse=True)


def test_with_a_wrong_value_only_lambda_1_is_right():
    found, truth = played(20_000), exact_gradient()
    bias = {}
    for lam in (1.0, 0.95, 0.5, 0.0):
        each = estimates(found, advantages(found, "gae", lam, curvature=0.5))
        bias[lam] = spread_and_bias(each, truth)[1]
    assert bias[1.0] < 5 < 15 < bias[0.95] < bias[0.5] and 40 < bias[0.0] < 55


def test_advantages_agree_with_each_other_step_by_step():
    found = played(3)
    to_go, value = advantages(found, "to go"), exact_values(found.state)
    assert torch.allclose(to_go[0], found.reward.sum(dim=0))
    assert torch.allclose(to_go[-1], found.reward[-1])
    assert torch.allclose(advantages(found, "total"), to_go[0].expand(HORIZON, 3))
    assert torch.allclose(advantages(found, "gae"), to_go - value[:-1])
    td = found.reward + value[1:] - value[:-1]
    assert torch.allclose(advantages(found, "gae", 0.0), td)


def test_spread_and_bias_by_hand():
    found = torch.tensor([[1.0, 0.0, 0.0], [3.0, 4.0, 0.0]])
    numbers = spread_and_bias(found, torch.tensor([2.0, 0.0, 0.0]))
    # The mean is (2, 2, 0): off by the truth's length, root 2 as long, turned by 45 degrees.
    assert numbers == pytest.approx((10.0, 100.0, 100.0 * 2**0.5, 45.0))


def test_a_blind_critic_sees_no_position():
    state = torch.tensor([[[0.3, 0.0]], [[-2.0, 0.0]], [[0.0, 1.0]]], dtype=torch.float64)
    state = torch.cat([state, torch.zeros(HORIZON - 2, 1, 2, dtype=torch.float64)])
    blind, true = exact_values(state, curvature=(0.0, 1.0)), exact_values(state)
    upright = exact_values(0.0 * state)
    assert (blind[:2] == upright[:2]).all() and (true[:2] < upright[:2]).all()
    assert blind[2] == pytest.approx(true[2]) and true[2] < upright[2]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"^theta: got .*three finite numbers"):
        expected_return(torch.ones(2))
    with pytest.raises(TypeError, match=r"^theta: "):
        expected_return([1, 2, 3])
    with pytest.raises(ValueError, match=r"^kind: got 'all'"):
        advantages(played(2), "all")
    with pytest.raises(ValueError, match=r"^episodes: got 0"):
        play_linear(0, torch.Generator())
