"""Chapter 02: what its study leaves out, one thing at a time, and its two pictures."""

import math

import numpy as np
import pytest
import torch

from pgcourse.agents.ppo import PPOAgent
from pgcourse.display import draw_clip, draw_moves, draw_proximal
from pgcourse.parts.returns import gae
from pgcourse.parts.rollout import Lesson, Steps
from pgcourse.studies import chapter_02
from pgcourse.studies.evidence import Evidence


def made(kind=chapter_02.WatchedPPO, **options):
    return kind("Pendulum-v1", 2, 8, batch_size=8, seed=3, **options)


def test_the_watched_agent_learns_as_ppo_does():
    plain, watched = PPOAgent("Pendulum-v1", 2, 8, batch_size=8, seed=3), made()
    for agent in (plain, watched):
        agent.train(32, 0)
    for a, b in zip(plain.actor.parameters(), watched.actor.parameters(), strict=True):
        assert torch.equal(a, b)
    assert np.shape(watched.moved) == (2, 10, 2)  # updates, epochs, KL and share


def test_what_is_noted_is_the_divergence_and_the_share_outside():
    agent = made(epochs=1)
    obs, action = torch.randn(16, 3), torch.randn(16, 1)
    old = agent.gaussian(obs)
    lesson = Lesson(obs, action, old.log_prob(action).sum(dim=1), torch.randn(16), torch.randn(16))
    list(agent.update(lesson))
    new = agent.gaussian(obs)
    shift, ratio = new.mean - old.mean, new.stddev / old.stddev
    exact = ratio.log() + (1.0 + (shift / old.stddev) ** 2) / (2.0 * ratio**2) - 0.5
    rho = (new.log_prob(action) - old.log_prob(action)).exp()
    ((kl, outside),) = agent.moved[0]
    assert kl == pytest.approx(exact.mean().item(), rel=1e-4, abs=1e-7)
    assert outside == ((rho - 1.0).abs() > 0.2).float().mean().item()


def steps(truncated):
    rows, ends = torch.full((3, 1), -1.0), torch.tensor([[0.0], [0.0], [truncated]])
    obs, no = torch.zeros(3, 1, 3), torch.zeros(3, 1)
    return Steps(obs, torch.zeros(3, 1, 1), rows, obs, no, ends, no + 1.0)


def test_a_cut_that_is_taken_for_an_end_has_nothing_after_it():
    agent = made(chapter_02.CutAtTimeLimit)
    with torch.no_grad():
        agent.critic.net[-1].bias.fill_(-5.0)
        value = agent.critic(steps(1.0).obs)
        assert value.flatten().tolist() == pytest.approx([-5.0] * 3)
        found, _ = agent.estimates(steps(1.0))
    no, cut = torch.zeros(3, 1), steps(1.0).truncated
    assert torch.allclose(found, gae(no - 0.1, value, cut, no, value, 0.97, 0.95))
    assert found[-1].item() == pytest.approx(-0.1 + 5.0)


def test_a_running_scale_brings_returns_to_a_deviation_of_one():
    agent = made(chapter_02.RunningScale)
    with torch.no_grad():
        agent.estimates(steps(0.0))
    carried = -1.0, -1.97, -1.0 - 0.97 * 1.97  # of one environment, the other's are equal
    assert agent.reward_scale == pytest.approx(1.0 / np.std(2 * carried, ddof=1))


def test_without_a_ratio_the_loss_is_the_policy_gradients():
    agent, rows = made(chapter_02.NoRatio), torch.randn(16, 3)
    lesson = Lesson(rows, rows[:, :1], torch.full((16,), 9.0), torch.randn(16), rows[:, 0])
    loss, _ = agent.actor_objective(lesson)
    density = agent.log_density(lesson.obs, lesson.action)
    assert loss.item() == pytest.approx(-(density * lesson.advantage).mean().item())


def test_a_large_last_layer_is_a_hundred_times_larger():
    small, large = made(), made(chapter_02.LargeLastLayer)
    assert torch.allclose(100.0 * small.actor.net[-1].weight, large.actor.net[-1].weight)
    assert torch.equal(small.actor.net[0].weight, large.actor.net[0].weight)


def test_an_arm_changes_one_thing():
    own = {name: options for name, (_, options) in chapter_02.ARMS.items()}
    for name, options in own.items():
        kind, _ = chapter_02.ARMS[name]
        changed = len(options) + (kind is not chapter_02.WatchedPPO)
        two = ("no clipping, rate 3e-4", "no clipping, rate 1e-4", "no clipping, constant rate",
               "time limit cuts, gamma 0.99", "rewards and gradients")  # fmt: skip
        if not name.startswith(("A2C", chapter_02.SECOND)):
            assert changed == (0 if name == chapter_02.RUN else 1 + (name in two)), name
    ours, theirs = (chapter_02.make(name, 0) for name in (chapter_02.RUN, "A2C, 128 steps"))
    for name in ("steps", "gamma", "lam", "actor_lr", "critic_lr", "decay_steps", "reward_scale",
                 "normalize", "max_grad_norm", "hidden"):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name


def test_the_diagram_names_its_equations():
    texts = " ".join(text.get_text() for text in draw_proximal().axes[0].texts)
    for words in ("Eqs. 1, 3", "no gradient passes", "ten epochs of 8"):
        assert words in texts


def test_the_objective_is_flat_on_one_side_only():
    left, right = draw_clip(0.2).axes
    for ax, flat, slope in ((left, 1.2, 1.0), (right, -0.8, -1.0)):
        x, y = ax.lines[1].get_data()
        beyond = x > 1.21 if slope > 0 else x < 0.79
        assert np.allclose(y[beyond], flat)
        assert np.allclose(np.diff(y[~beyond])[2:-2] / np.diff(x)[0], slope, atol=1e-3)
    for wrong in (0.0 - 1.0, math.inf):
        with pytest.raises(ValueError, match="clip"):
            draw_clip(wrong)


def test_moves_are_drawn_over_the_epochs():
    rng = np.random.default_rng(0)
    near, far = rng.uniform(0.1, 0.2, (5, 10, 2)), rng.uniform(0.5, 0.6, (3, 10, 2))
    left, right = draw_moves({"near": near, "far": far}).axes
    for ax, k in ((left, 0), (right, 1)):
        thick = [line for line in ax.lines if line.get_linewidth() > 2]
        assert [line.get_label() for line in thick] == ["near", "far"]
        assert np.allclose(thick[1].get_ydata(), np.median(far[:, :, k], axis=0))
        assert len(ax.lines) == 5 + 3 + 2
    for wrong in ({"near": near}, {"near": near, "far": far[:, :, 0]}):
        with pytest.raises(ValueError, match="moved: got"):
            draw_moves(wrong)


def test_the_table_has_a_row_for_each_arm():
    study = Evidence("02").load()
    head, *rows = chapter_02.table(study, *chapter_02.ARMS).splitlines()
    assert len(rows) == len(chapter_02.ARMS) and head.split()[0] == "steps"
    for arm, row in zip(chapter_02.ARMS, rows, strict=True):
        final = study.of(arm, "curve")[:5, -1]
        assert row.startswith(arm) and f" {final.mean():.0f} " in row
        assert (row.split()[-1] == "-") == arm.startswith("A2C")
