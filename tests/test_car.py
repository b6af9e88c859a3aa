import numpy as np
import pytest

from pgcourse.display import car_film, draw_cloning, draw_filter, draw_phase


def drive(steps, reward=-0.1, last=100.0):
    """An episode that goes to the right at an even speed."""
    x = np.linspace(-0.5, 0.45, steps)
    rewards = np.full(steps, reward)
    rewards[-1] = last
    return np.stack([x, np.full(steps, 0.01), np.ones(steps), rewards], axis=1)


@pytest.fixture
def said(monkeypatch):
    """What a film writes, frame by frame."""
    from pgcourse.display import car

    found, show = [], car.Drive.show

    def listen(self, step):
        show(self, step)
        found.append(self.text.get_text())

    monkeypatch.setattr(car.Drive, "show", listen)
    return found


@pytest.mark.parametrize(("steps", "count"), [(40, 40), (120, 120), (999, 120)])
def test_a_film_lasts_six_seconds_at_most_and_ends_with_our_episode(steps, count):
    frames, poster = car_film({"untrained": drive(200, last=0.0), "ours": drive(steps)})
    assert len(frames) == count
    assert all(frame.shape == (300, 720, 3) and frame.dtype == np.uint8 for frame in frames)
    assert poster.shape == (300, 720, 3) and not np.array_equal(poster, frames[0])
    assert not np.array_equal(frames[3], frames[6])


def test_an_episode_that_has_ended_stands_still_and_says_when_it_met_the_flag(said):
    car_film({"first": drive(5), "ours": drive(30, last=0.0)})
    first, ours = said[::2], said[1::2]
    assert first[3] == "step 4    return 0"
    assert set(first[4:]) == {"flag after 5 steps    return 100"}
    assert ours[0] == "step 1    return 0" and ours[-1] == "step 30    return −3"


def test_a_phase_plane_tells_the_share_that_passes_or_the_actions():
    states = np.random.default_rng(0).uniform(-0.05, 0.05, (8, 2))
    mask = np.arange(8) < 6
    fig = draw_phase({"good": (states, mask), "bad": (states, ~mask)})
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["good: 75% pass", "bad: 25% pass"]
    hollow, filled = fig.axes[0].lines[-2:]
    assert len(filled.get_xdata()) == 6 and hollow.get_mfc() == "none"
    fig = draw_phase({"pushes": (states, np.linspace(-1, 1, 8))})
    assert [ax.get_title(loc="left") for ax in fig.axes][:1] == ["pushes"]
    assert fig.axes[-1].get_ylabel() == "action"


def test_a_row_passes_where_the_critic_prefers_the_teacher():
    actions = np.linspace(-1, 1, 41)
    fig = draw_filter({"a": (actions, actions, 0.5, -0.5), "b": (actions, -actions, 0.5, -0.5)})
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["a: passes", "b: dropped"]
    texts = {text.get_text(): text.xy for text in fig.axes[0].texts}
    assert texts["teacher"] == pytest.approx((0.5, 0.5))
    assert texts["student"] == pytest.approx((-0.5, -0.5))


def test_the_diagram_names_its_equations():
    said = " ".join(text.get_text() for text in draw_cloning().axes[0].texts)
    for words in ("Eq. 2", "Eq. 3", "Eq. 1", "Eqs. 4, 5", "no gradient"):
        assert words in said


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: car_film({}), "episodes: got 0"),
        (lambda: car_film(dict.fromkeys("abc", drive(3))), "episodes: got 3"),
        (lambda: car_film({"a": np.zeros((5, 3))}), r"episodes: got shape \(5, 3\) for 'a'"),
        (lambda: car_film({"a": np.full((5, 4), np.nan)}), "episodes: got shape"),
        (lambda: draw_phase({}), "panels: got 0"),
        (lambda: draw_phase({"a": (np.zeros((5, 2)), np.zeros(4))}), "panels: got"),
        (lambda: draw_filter({}), "panels: got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, name):
    with pytest.raises(ValueError, match=f"^{name}.*; expected"):
        call()
