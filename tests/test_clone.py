import numpy as np
import pytest
import torch

from pgcourse import make_env, record_demos, register_bit_flip, successes
from pgcourse.agents.clone import Clone, split_episodes
from tests.kinds import BITS, bit_demo, solver

SMALL = {"hidden": (16,), "batch_size": 16, "every": 10}


def demo(episodes=4, steps=10, answer=lambda obs: 0.5 * obs[:1]):
    """Episodes whose every obs starts with a number between -1 and 1."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(episodes):
        seen = rng.uniform(-1, 1, (steps + 1, 3))
        rows += [(seen[k], answer(seen[k]), -1.0, seen[k + 1], False) for k in range(steps)]
    return rows


def clone(rows=None, env="Pendulum-v1", seed=0, **changes):
    return Clone(rows or demo(), env, seed, **SMALL | changes)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_it_learns_the_teachers_answers():
    made = clone(lr=1e-2)
    made.train(600)
    obs = np.random.default_rng(1).uniform(-0.8, 0.8, (50, 3))
    np.testing.assert_allclose(made.policy(obs), 0.5 * obs[:, :1], atol=0.1)
    assert made.policy(obs[0]).shape == (1,)


def test_whole_episodes_are_held_out_and_nothing_of_them_is_learned_from():
    rows = demo(4)
    kept, away = split_episodes(rows, 3, 1, 0.25, np.random.default_rng(0))
    assert len(kept) == 30 and len(away) == 10
    first = [np.float32(row[0]).tolist() for row in rows]
    at = first.index(away[0][0])
    assert at % 10 == 0 and [row[0] for row in away] == first[at : at + 10]
    assert all(row[0] not in first[at : at + 10] for row in kept)
    ended = [(*row[:3], rows[k + 1][0] if k < 39 else row[3], k % 10 == 9)
             for k, row in enumerate(rows)]  # fmt: skip
    assert len(split_episodes(ended, 3, 1, 0.0, np.random.default_rng(0))[1]) == 10


def test_its_inputs_are_those_of_the_episodes_that_it_learns_from():
    made = clone()
    assert made.normalizer.count == 30 and len(made.held_out[0]) == 10
    assert made.rows[0].mean(dim=0).abs().max() < 1e-5


def test_the_loss_by_hand():
    made = clone()
    obs, action = made.rows[0][:5], made.rows[1][:5]
    loss, record = made.loss((obs, action))
    assert loss.item() == pytest.approx(((made.actor(obs) - action) ** 2).sum(1).mean().item())
    assert record["bc_loss"] is loss


def test_the_weights_with_the_smallest_held_out_loss_are_kept():
    coin = np.random.default_rng(0)  # what it learns by heart says nothing about the others
    made = clone(demo(3, 5, lambda obs: coin.uniform(-1, 1, 1)), lr=3e-2, patience=100)
    kept = {}
    for _ in range(60):
        made.train(10)
        kept[made.updates] = weights(made.actor)
    found = made.history.losses["held_out"].tolist()
    best = 10 * (1 + int(np.argmin(found)))
    assert made.best_at == best < made.updates == best + 100 < 600  # patience ran out
    assert torch.equal(weights(made.best), kept[best])
    assert not torch.equal(weights(made.best), weights(made.actor))
    assert made.history.losses["all"][-1] < made.history.losses["all"][best // 10 - 1]


def test_the_same_seed_gives_the_same_weights_in_pieces_or_at_once():
    made = [clone(seed=seed) for seed in (0, 0, 1)]
    state = torch.get_rng_state()
    made[0].train(60)
    for _ in range(4):
        made[1].train(15)
    made[2].train(60)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(made[0].best), weights(made[1].best))
    assert made[0].history.losses == made[1].history.losses
    assert not torch.equal(weights(made[0].best), weights(made[2].best))


def test_with_goals_it_sees_the_wanted_one_and_not_the_achieved_one():
    made = clone(bit_demo(), register_bit_flip(BITS))
    made.train(20)
    obs = make_env(register_bit_flip(BITS)).reset(seed=0)[0]
    other = obs.copy()
    other[BITS : 2 * BITS] = 0.7
    assert np.array_equal(made.policy(obs), made.policy(other))
    other[-1] = 1.0 - other[-1]
    assert not np.array_equal(made.policy(obs), made.policy(other))


def test_it_reaches_goals_without_a_step_of_its_own():
    name = register_bit_flip(BITS)
    made = Clone(record_demos(solver, name, 60, 0), name, hidden=(64,), batch_size=64)
    made.train(800)
    assert successes(made, name, range(100)).mean() > 0.8


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"rows": demo(1)}, "demo"),
        ({"rows": 3}, "demo"),
        ({"rows": [(1, 2)] * 4}, "transitions"),
        ({"env": 3}, "env"),
        ({"env": "MountainCarContinuous-v0"}, "obs"),
        ({"seed": -1}, "seed"),
        ({"hidden": 16}, "hidden"),
        ({"batch_size": 0}, "batch_size"),
        ({"lr": -1.0}, "lr"),
        ({"held_out": 2.0}, "held_out"),
        ({"every": 0}, "every"),
        ({"patience": 0.5}, "patience"),
    ],
)
def test_bad_arguments_are_refused_by_name(changes, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        clone(**changes)


def test_no_updates_are_refused():
    with pytest.raises(ValueError, match="^updates: got 0; expected"):
        clone().train(0)
