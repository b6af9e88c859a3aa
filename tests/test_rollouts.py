"""Chapter 01's pictures, and the planted mistakes of its study."""

import numpy as np
import pytest
import torch

from pgcourse.display import balance_film, draw_rollout, draw_trade
from pgcourse.parts.rollout import Steps
from pgcourse.studies import chapter_01


def words(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


def test_the_diagram_names_the_equations_of_its_steps():
    found = " ".join(words(draw_rollout()))
    assert all(name in found for name in ("Eqs. 9, 10", "Eq. 8", "Eq. 7", "no gradient passes"))


def test_a_film_of_poles_moves_and_holds_the_shorter_one_where_it_ended():
    leaning = np.column_stack([np.zeros(41), np.linspace(0.0, 0.15, 41)])
    frames, poster = balance_film({"one": leaning[:11], "two": leaning}, 0.04, 0.2)
    assert len(frames) == 21 and {frame.shape for frame in (*frames, poster)} == {(360, 720, 3)}
    left, right = (slice(60, 190), slice(0, 360)), (slice(60, 190), slice(360, 720))
    assert (frames[0][left] != frames[5][left]).any()
    assert (frames[6][left] == frames[20][left]).all()
    assert (frames[6][right] != frames[20][right]).any()
    assert (poster == frames[-1]).all()
    with pytest.raises(ValueError, match=r"^paths: got {'one': \(41,\)}; expected two of \(T, 2\)"):
        balance_film({"one": leaning[:, 0]}, 0.04, 0.2)


def test_estimators_stand_at_their_bias_and_episodes():
    rows = [(1_000.0, 1.0), (600.0, 2.0), (300.0, 3.0)]
    fig = draw_trade("Trade", ["1", "0.5", "0"], rows, rows[::-1], {"total": (9_000.0, 5.0)})
    lines = fig.axes[0].lines
    assert lines[0].get_xdata().tolist() == [1.0, 2.0, 3.0]
    assert lines[1].get_ydata().tolist() == [300.0, 600.0, 1_000.0]
    assert "total" in words(fig) and sum("lambda" in text for text in words(fig)) == 6


def lesson(arm):
    """An agent of an arm after some steps, and what it would learn from."""
    agent = chapter_01.make(arm, 0)
    while not agent.team.waits.all():
        agent.step(agent.explore(agent.reset() if agent.obs is None else agent.obs))
    return agent, agent.sample()


def test_the_wrong_sign_turns_the_gradient():
    agent, rows = lesson("wrong sign")
    right = chapter_01.A2CAgent.actor_objective(agent, rows)[0]
    assert agent.actor_objective(rows)[0].item() == pytest.approx(-right.item())


def test_the_gradient_through_the_baseline_moves_the_value_by_half_the_log_density():
    agent, rows = lesson("gradient through the baseline")
    value = agent.critic(rows.obs)
    (grad,) = torch.autograd.grad(agent.critic_objective(rows)[0], [agent.critic.net[-1].bias])
    wanted = (2 * (value - rows.target) + rows.log_density).mean()
    assert grad.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_a_limit_that_cuts_is_an_end():
    agent, _ = lesson("time limits that cut")
    t = torch.zeros(2, 1)
    steps = Steps(torch.zeros(2, 1, 4), t, t + 1, torch.ones(2, 1, 4), t, t.clone(), t + 1)
    steps.truncated[1] = 1.0
    cut = agent.estimates(steps)[1]
    right = chapter_01.A2CAgent.estimates(agent, steps)[1]
    later = agent.gamma * agent.critic(steps.next_obs[1])
    assert cut[1].item() == pytest.approx(1.0)
    assert (right - cut)[1].item() == pytest.approx(later.item(), abs=1e-6)
    ended = steps._replace(terminated=steps.truncated, truncated=t)
    assert torch.equal(cut, chapter_01.A2CAgent.estimates(agent, ended)[1])


def test_training_returns_are_those_of_the_newest_whole_batch():
    class Fake:
        pass

    agent = Fake()
    agent.team, agent.history = Fake(), Fake()
    agent.team.envs, agent.history.loss_steps = [0, 1], {"actor_loss": [10, 30, 95]}
    agent.history.scores = [1.0, 3.0, 10.0, 20.0, 7.0, 9.0, 100.0]
    found = chapter_01.training_returns(agent, 200)
    assert found[:3] == [2.0, 2.0, 15.0] and found[8:] == [15.0] + [8.0] * 11
