import pytest
import torch
from torch import nn

from pgcourse import Actor, Critic


def linears(net):
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


def test_actor_is_128_128_relu_with_tanh():
    actor = Actor(3, 2)
    assert [(x.in_features, x.out_features) for x in linears(actor)] == [
        (3, 128),
        (128, 128),
        (128, 2),
    ]
    assert sum(isinstance(layer, nn.ReLU) for layer in actor.modules()) == 2
    action = actor(1e6 * torch.randn(50, 3))
    assert action.shape == (50, 2)
    assert action.abs().max() == 1.0


def test_critic_gives_one_number_per_row():
    critic = Critic(5)
    assert [(x.in_features, x.out_features) for x in linears(critic)] == [
        (5, 128),
        (128, 128),
        (128, 1),
    ]
    assert critic(torch.randn(7, 3), torch.randn(7, 2)).shape == (7,)
    assert critic(torch.randn(1, 3), torch.randn(1, 2)).shape == (1,)


@pytest.mark.parametrize("net", [lambda w: Actor(3, 2, init_w=w), lambda w: Critic(5, init_w=w)])
def test_last_layer_is_uniform_in_init_w(net):
    last = linears(net(0.01))[-1]
    values = torch.cat([last.weight.detach().flatten(), last.bias.detach()])
    assert values.abs().max() <= 0.01
    assert values.abs().max() > 0.009
    assert values.std() == pytest.approx(0.01 / 3**0.5, rel=0.2)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Actor(0, 1), "in_dim"),
        (lambda: Actor(3, 0), "out_dim"),
        (lambda: Actor(3, 1, init_w=-1.0), "init_w"),
        (lambda: Critic(2.0), "in_dim"),
        (lambda: Critic(3, init_w=float("nan")), "init_w"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        make()
