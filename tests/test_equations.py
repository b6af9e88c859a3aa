import copy

import pytest
import torch

from pgcourse import Actor, Critic, actor_loss, critic_loss, soft_update, td_target

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
    with pytest.raises(ValueError, match=r"\(4, 1\).*expected \(B\), \(B\), \(B\), with one size"):
        td_target(*columns, 0.9)


def test_td_target_refuses_equal_columns():
    with pytest.raises(ValueError, match=r"expected \(B\), \(B\), \(B\), with one size"):
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
