import copy
import math

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from pgcourse import Actor, Critic, actor_loss, critic_loss, soft_update, td_target
from pgcourse.parts.equations import clip_target, smoothed_action, soft_filter, twin_minimum
from pgcourse.parts.gaussian import soft_value, squashed_gaussian, temperature_loss

T = torch.tensor


def test_td_target_by_hand_running_terminated_and_truncated():
    # Row 3 was cut by the time limit: its `terminated` is 0, so it bootstraps like row 1.
    target = td_target(T([1.0, 2.0, 3.0]), T([10.0, 10.0, 10.0]), T([0.0, 1.0, 0.0]), gamma=0.5)
    assert target.tolist() == [6.0, 2.0, 8.0]


def test_td_target_carries_no_gradient():
    next_q = T([1.0, 2.0], requires_grad=True)
    assert not td_target(T([0.0, 0.0]), next_q, T([0.0, 0.0]), 0.9).requires_grad


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_td_target_refuses_unequal_shapes(bad):
    columns = [torch.zeros(4), torch.zeros(4), torch.zeros(4)]
    columns[bad] = torch.zeros(4, 1)
    with pytest.raises(
        ValueError, match=r"\(4, 1\).*expected \(B,\), \(B,\), \(B,\), with one size"
    ):
        td_target(*columns, 0.9)


def test_td_target_refuses_equal_columns():
    with pytest.raises(ValueError, match=r"expected \(B,\), \(B,\), \(B,\), with one size"):
        td_target(*[torch.zeros(4, 1)] * 3, 0.9)


def test_critic_loss_by_hand():
    assert critic_loss(T([1.0, 2.0, 3.0]), T([1.0, 0.0, 6.0])).item() == pytest.approx(13 / 3)


def test_critic_loss_refuses_a_column_that_would_broadcast():
    with pytest.raises(ValueError, match=r"q \(3, 1\), target \(3,\)"):
        critic_loss(torch.zeros(3, 1), torch.zeros(3))


def test_one_row_against_many_is_refused_too():
    with pytest.raises(ValueError, match=r"q \(4,\), target \(1,\)"):
        critic_loss(torch.zeros(4), torch.zeros(1))


def test_actor_loss_by_hand():
    assert actor_loss(T([1.0, 2.0, 6.0])).item() == -3.0


def test_actor_loss_refuses_a_column():
    with pytest.raises(ValueError, match=r"q \(3, 1\)"):
        actor_loss(torch.zeros(3, 1))


def test_soft_update_by_hand_and_leaves_the_source():
    slow, fast = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for net, value in ((slow, 1.0), (fast, 3.0)):
        torch.nn.init.constant_(net.weight, value)
        torch.nn.init.constant_(net.bias, -value)
    soft_update(slow, fast, 0.25)
    assert (slow.weight.item(), slow.bias.item()) == (1.5, -1.5)
    assert (fast.weight.item(), fast.bias.item()) == (3.0, -3.0)


def test_half_life_of_soft_update():
    slow, fast = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(slow.weight, 0.0)
    torch.nn.init.constant_(fast.weight, 1.0)
    for _ in range(138):  # log(1/2) / log(1 - 0.005) = 138.3
        soft_update(slow, fast, 0.005)
    assert slow.weight.item() == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("tau", [-0.1, 1.1, float("nan"), "slow"])
def test_soft_update_refuses_a_bad_tau(tau):
    net = torch.nn.Linear(1, 1)
    with pytest.raises((TypeError, ValueError), match="^tau: got .*expected"):
        soft_update(net, copy.deepcopy(net), tau)


def test_actor_gradient_is_the_chain_rule():
    """Lillicrap Eq. 6: the mean of dQ/da times dmu/dtheta."""
    torch.manual_seed(0)
    actor, critic, obs = Actor(3, 1, 0.5), Critic(4, 0.5), torch.randn(5, 3)
    parameters = list(actor.parameters())
    whole = torch.autograd.grad(actor_loss(critic(obs, actor(obs))), parameters)

    action = actor(obs)
    leaf = action.detach().requires_grad_()
    dq_da = torch.autograd.grad(critic(obs, leaf).sum(), leaf)[0]
    by_hand = torch.autograd.grad(action, parameters, grad_outputs=-dq_da / len(obs))
    for a, b in zip(whole, by_hand, strict=True):
        torch.testing.assert_close(a, b)


def test_twin_minimum_by_hand_and_its_gradient_goes_to_the_smaller():
    q1, q2 = T([1.0, 5.0, -2.0], requires_grad=True), T([3.0, 4.0, -1.0], requires_grad=True)
    smaller = twin_minimum(q1, q2)
    assert smaller.tolist() == [1.0, 4.0, -2.0]
    smaller.sum().backward()
    assert (q1.grad.tolist(), q2.grad.tolist()) == ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])


def test_smoothed_action_clips_the_noise_and_then_the_action():
    action = T([[0.0, 0.0], [0.8, -0.8], [0.8, -0.8]])
    noise = T([[0.25, -3.0], [3.0, -3.0], [-3.0, 3.0]])
    expected = T([[0.25, -0.5], [1.0, -1.0], [0.3, -0.3]])
    torch.testing.assert_close(smoothed_action(action, noise, 0.5), expected)
    assert torch.equal(smoothed_action(action, noise, 0.0), action)
    # A loose clip leaves it to the action's own: 0.8 − 3 is cut at −1.
    assert smoothed_action(action, noise, 9.0)[2].tolist() == [-1.0, 1.0]


def test_squashed_gaussian_is_torchs_own_distribution():
    torch.manual_seed(0)
    mean, log_std, noise = (torch.randn(50, 3, dtype=torch.float64) for _ in range(3))
    action, log_density = squashed_gaussian(mean, 0.5 * log_std, noise)
    std = (0.5 * log_std).exp()
    torch.testing.assert_close(action, torch.tanh(mean + std * noise))
    theirs = TransformedDistribution(Normal(mean, std), TanhTransform(cache_size=1))
    u = mean + std * noise
    expected = theirs.log_prob(theirs.transforms[0](u)).sum(dim=1)
    torch.testing.assert_close(log_density, expected)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.7, 0.4), (-1.0, 0.8)])
def test_the_density_of_actions_integrates_to_one(mean, std):
    n = 20_000  # middles of equal parts of (-1, 1)
    a = (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2.0 - 1.0
    noise = ((torch.atanh(a) - mean) / std)[:, None]
    ones = torch.ones_like(noise)
    action, log_density = squashed_gaussian(mean * ones, math.log(std) * ones, noise)
    torch.testing.assert_close(action[:, 0], a)
    assert (log_density.exp().sum() * 2.0 / n).item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("u", [40.0, -40.0])
def test_the_density_and_its_gradient_are_finite_where_tanh_rounds_to_one(u):
    mean = T([[u]], requires_grad=True)
    log_std = T([[0.0]], requires_grad=True)
    action, log_density = squashed_gaussian(mean, log_std, torch.zeros(1, 1))
    assert action.abs().item() == 1.0
    # 1 − tanh² u = 4 e^(−2|u|) up here, and N(0; 0, 1) = 1 / √(2 π)
    by_hand = -0.5 * math.log(2.0 * math.pi) - (math.log(4.0) - 2.0 * abs(u))
    assert log_density.item() == pytest.approx(by_hand, rel=1e-6)
    for gradient in torch.autograd.grad(log_density.sum(), [mean, log_std]):
        assert gradient.isfinite().all()


def test_soft_value_by_hand():
    value = soft_value(T([1.0, 2.0]), T([-0.5, 3.0]), T(0.2))
    torch.testing.assert_close(value, T([1.1, 1.4]))  # rare actions are worth more


def test_temperature_loss_by_hand_and_no_gradient_reaches_the_policy():
    alpha, log_density = T(0.5, requires_grad=True), T([1.0, -3.0], requires_grad=True)
    loss = temperature_loss(alpha, log_density, target_entropy=-2.0)
    assert loss.item() == pytest.approx(0.5 * 3.0)  # −α (mean log π + target)
    loss.backward()
    assert log_density.grad is None and alpha.grad.item() == pytest.approx(3.0)


@pytest.mark.parametrize(("entropy", "rises"), [(1.5, False), (-1.5, True)])
def test_the_temperature_falls_where_there_is_more_entropy_than_wanted(entropy, rises):
    alpha = T(0.5, requires_grad=True)
    temperature_loss(alpha, torch.full((4,), -entropy), target_entropy=0.0).backward()
    stepped = (alpha - 0.1 * alpha.grad).item()
    assert (stepped > 0.5) == rises and stepped != 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: twin_minimum(torch.zeros(3), torch.zeros(3, 1)),
        lambda: smoothed_action(torch.zeros(3, 2), torch.zeros(3, 1), 0.5),
        lambda: smoothed_action(torch.zeros(3), torch.zeros(3), 0.5),
        lambda: squashed_gaussian(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(2)),
        lambda: squashed_gaussian(torch.zeros(3, 2), torch.zeros(1, 2), torch.zeros(3, 2)),
        lambda: soft_value(torch.zeros(3), torch.zeros(3, 1), torch.zeros(())),
        lambda: soft_value(torch.zeros(3), torch.zeros(3), torch.zeros(1)),
        lambda: temperature_loss(torch.zeros(1), torch.zeros(3), -1.0),
    ],
)
def test_nothing_is_broadcast_in_the_equations_of_td3_and_sac(call):
    with pytest.raises(ValueError, match=r"\(3.*expected \(.*, with one size for each letter"):
        call()


@pytest.mark.parametrize("clip", [-0.1, math.inf, math.nan, "wide"])
def test_smoothed_action_refuses_a_bad_clip(clip):
    with pytest.raises((TypeError, ValueError), match="^clip: got .*expected"):
        smoothed_action(torch.zeros(3, 1), torch.zeros(3, 1), clip)


def test_clip_target_by_hand_and_refuses_a_discount_without_a_bound():
    assert clip_target(T([-20.0, -3.0, 0.5]), 0.9).tolist() == pytest.approx([-10.0, -3.0, 0.0])
    with pytest.raises(ValueError, match="^gamma: got 1.0; expected"):
        clip_target(T([0.0]), 1.0)


def test_arguments_by_name_are_checked_like_those_by_place():
    with pytest.raises(ValueError, match=r"q1 \(3,\), q2 \(3, 1\)"):
        twin_minimum(q2=torch.zeros(3, 1), q1=torch.zeros(3))
    with pytest.raises(TypeError, match="^q2: got None; expected a tensor"):
        twin_minimum(torch.zeros(3))


def test_the_soft_filter_by_hand_is_monotone_and_carries_no_gradient():
    # Advantages 2 and -2 have the deviation 2, so the weights are σ(1) and σ(-1).
    policy_q = torch.tensor([1.0, 3.0], requires_grad=True)
    weights = soft_filter(torch.tensor([3.0, 1.0]), policy_q)
    assert weights.tolist() == pytest.approx([0.731059, 0.268941], abs=1e-5)
    assert not weights.requires_grad
    assert soft_filter(torch.ones(3), torch.ones(3)).tolist() == [0.5] * 3  # no deviation: halves
