import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from pgcourse.display import car, car_film, colors, draw_cloning, draw_filter, draw_phase

ACTIONS = np.linspace(-1, 1, 41)
STATES = np.random.default_rng(0).uniform(-0.05, 0.05, (8, 2))


def drive(steps, last=100.0):
    """An episode that goes to the right at an even speed and pushes ever less."""
    x, rewards = np.linspace(-0.5, 0.44, steps), np.full(steps, -0.1)
    rewards[-1] = last
    return np.stack([x, np.full(steps, 0.01), np.linspace(1, 0.5, steps), rewards], axis=1)


def titles(fig):
    return [ax.get_title(loc="left") for ax in fig.axes]


@pytest.fixture
def shown(monkeypatch):
    """Each drive of a film and, frame by frame, what it says; the poster comes last."""
    found, show = [], car.Drive.show

    def listen(self, step, whole=False):
        show(self, step, whole)
        found.append((self, self.text.get_text()))

    monkeypatch.setattr(car.Drive, "show", listen)
    return found


@pytest.mark.parametrize(
    ("lengths", "count"), [((None, 40), 41), ((200, 40), 51), ((200, 119), 66), ((999, 999), 112)]
)
def test_a_film_ends_soon_after_the_flag_and_within_six_seconds(lengths, count):
    first, ours = lengths
    episodes = {"untrained": drive(first, last=0.0)} if first else {}
    episodes["ours"] = drive(ours, last=100.0 if ours < 999 else 0.0)
    frames, poster = car_film(episodes)
    assert len(frames) == count <= 121
    assert all(frame.shape == (300, 720, 3) and frame.dtype == np.uint8 for frame in frames)
    assert poster.shape == (300, 720, 3) and poster.dtype == np.uint8
    assert not any(np.array_equal(poster, frame) for frame in frames)
    assert not np.array_equal(frames[3], frames[6])


def test_the_poster_shows_where_the_car_turned(shown):
    there = drive(20, last=0.0)
    back = there[::-1] * [1, -1, 1, 1]
    car_film({"ours": np.concatenate([there, back])})
    made = shown[-1][0]
    assert list(made.x[made.turns]) == pytest.approx([-0.5, 0.44])
    assert len(made.pale.get_paths()) == 2
    assert len(made.x) == 41 and made.x[-1] == pytest.approx(-0.51)  # after the last step


def test_an_episode_that_has_ended_stands_still_and_says_when_it_met_the_flag(shown):
    frames, _ = car_film({"first": drive(5), "ours": drive(30, last=0.0)})
    first, ours = ([said for _, said in shown[k::2]] for k in (0, 1))
    assert first[:2] == ["step 0\nreturn 0", "step 1\nreturn 0"]
    assert set(first[5:]) == {"flag after 5 steps\nreturn 100"}
    assert ours[4] == "step 4\nreturn 0" and ours[-1] == "step 15\nreturn −2"
    left = [frame[:, :390] for frame in frames]  # the first column
    assert not np.array_equal(left[4], left[5])
    assert all(np.array_equal(left[5], frame) for frame in left[6:])


def test_an_episode_that_ends_without_the_flag_says_its_step(shown):
    car_film({"ours": drive(30, last=0.0)})
    assert shown[-1][1] == "step 30\nreturn −3"


def test_the_car_follows_the_slope_and_its_arrow_the_push(shown):
    for push in (0.5, -1.0, 0.01):
        car_film({"ours": np.array([[0.0, 0.0, push, 0.0]] * 3)})
        made = shown[-1][0]
        made.show(1)
        if abs(push) < 0.05:
            assert not made.arrow.get_paths()
            continue
        start, tip = made.arrow.get_paths()[0].vertices[[0, 4]]
        assert np.sign(tip - start).tolist() == [np.sign(push)] * 2  # uphill is to the right
    left, right = made.place(car.WHEELS, -0.3)  # on either side of where it stands
    bottom = np.array([-0.3, np.sin(-0.9)])
    climb = (right - left) / made.pixel
    slope = np.array([1, 3 * np.cos(-0.9)]) / made.pixel
    assert np.cross(np.append(climb, 0), np.append(slope, 0))[2] == pytest.approx(0, abs=1e-9)
    assert ((left + right) / 2 - bottom)[1] > 0


def test_ours_is_blue_and_the_other_dotted_and_grey(shown):
    car_film({"a": drive(5), "b": drive(5)})
    a, b = (made.path for made, _ in shown[-2:])
    assert (a.get_color(), a.get_linestyle()) == (colors.CHANCE, ":")
    assert (b.get_color(), b.get_linestyle()) == (colors.ACTOR, "-")


def test_a_phase_plane_tells_the_share_that_passes():
    mask = np.arange(8) < 6
    fig = draw_phase({"good": (STATES, mask), "bad": (STATES, ~mask)})
    assert titles(fig) == ["good: 75% pass", "bad: 25% pass"]
    hollow, filled = fig.axes[0].lines[-2:]
    assert len(filled.get_xdata()) == 6 and filled.get_mfc() == colors.MET
    assert len(hollow.get_xdata()) == 2 and hollow.get_mfc() == "none"
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["passes", "dropped"]


def test_a_phase_plane_colours_actions_and_labels_outer_axes_only():
    pushes = np.linspace(-1, 1, 8)
    fig = draw_phase(dict.fromkeys("ab", (STATES, pushes)))
    *panels, bar = fig.axes
    assert titles(fig)[:2] == ["a", "b"]
    assert [ax.get_xlabel() for ax in panels] == ["position"] * 2
    assert [ax.get_ylabel() for ax in panels] == ["velocity (per step)", ""]
    assert bar.get_ylabel() == "action"
    faces = panels[0].collections[0]
    fig.draw_without_rendering()
    ends = [to_hex(face) for face in faces.get_facecolor()[[0, -1]]]
    assert ends == ["#123c69", "#e8a33d"]
    rims = faces.get_edgecolor()[:, :3].sum(axis=1)
    assert (rims < faces.get_facecolor()[:, :3].sum(axis=1)).all()


def test_the_flag_is_named():
    (ax,) = draw_phase({"a": (STATES, np.ones(8, dtype=bool))}).axes
    assert [text.get_text() for text in ax.texts] == ["flag"]


@pytest.mark.parametrize(
    ("q", "passes", "gain"),
    [(ACTIONS, True, "+1"), (-ACTIONS, False, "−1"), (ACTIONS**2, False, "+0")],
)
def test_a_row_passes_where_the_critic_prefers_the_teacher(q, passes, gain):
    (ax,) = draw_filter({"row": (ACTIONS, q, 0.5, -0.5)}).axes
    word = "passes" if passes else "dropped"
    assert ax.get_title(loc="left") == f"row: {word}"
    teacher, student, verdict = ax.texts
    assert (teacher.get_text(), student.get_text()) == ("teacher", "student")
    assert verdict.get_text() == f"{word}\n{gain}"
    assert (teacher.get_va(), student.get_va()) == (
        ("bottom", "top") if passes else ("top", "bottom")
    )
    dots = {line.get_color(): line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"}
    for color, x in ((colors.TEACHER, 0.5), (colors.ACTOR, -0.5)):
        assert dots[color] == pytest.approx((x, np.interp(x, ACTIONS, q)))
    (arrow,) = (patch for patch in ax.patches if isinstance(patch, FancyArrowPatch))
    start, end = (point[1] for point in arrow._posA_posB)
    assert (start, end) == pytest.approx((np.interp(-0.5, ACTIONS, q), np.interp(0.5, ACTIONS, q)))


@pytest.mark.parametrize("q", [ACTIONS, -ACTIONS, ACTIONS**2, np.cos(9 * ACTIONS)])
@pytest.mark.parametrize("two", [(-1.0, 1.0), (1.0, -1.0), (-1.0, -0.4), (0.97, 1.0), (1.0, 0.97)])
def test_no_name_leaves_its_panel(q, two):
    fig = draw_filter({"a": (ACTIONS, q, *two), "b": (ACTIONS, q, *two)})
    fig.draw_without_rendering()
    for ax in fig.axes:
        place = ax.get_window_extent()
        for text in ax.texts:
            extent = text.get_window_extent()
            assert place.x0 <= extent.x0 and extent.x1 <= place.x1 + 4, text.get_text()
            assert place.y0 <= extent.y0 and extent.y1 <= place.y1, text.get_text()
        names = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for k, a in enumerate(names) for b in names[:k])


def test_the_diagram_names_its_equations():
    said = " ".join(text.get_text() for text in draw_cloning().axes[0].texts)
    for words in ("Eq. 2", "Eq. 3", "Eq. 1", "Eqs. 4, 5", "no gradient"):
        assert words in said


GOOD = (ACTIONS, ACTIONS, 0.5, -0.5)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: car_film({}), "episodes: got 0"),
        (lambda: car_film(dict.fromkeys("abc", drive(3))), "episodes: got 3"),
        (lambda: car_film({"a": np.zeros((5, 3))}), r"episodes: got \(5, 3\) for 'a'"),
        (lambda: car_film({"a": np.zeros((0, 4))}), r"episodes: got \(0, 4\) for 'a'"),
        (lambda: car_film({"a": np.full((5, 4), np.nan)}), "episodes: got NaN"),
        (lambda: draw_phase({}), "panels: got 0"),
        (lambda: draw_phase(dict.fromkeys("abc", (STATES, np.zeros(8)))), "panels: got 3"),
        (lambda: draw_phase({"a": (STATES, np.zeros(7))}), r"panels: got \(8, 2\) and \(7,\)"),
        (lambda: draw_phase({"a": (STATES[:0], np.zeros(0))}), r"panels: got \(0, 2\) and"),
        (lambda: draw_phase({"a": (STATES, np.full(8, np.nan))}), "panels: got NaN"),
        (lambda: draw_phase({"a": (STATES, np.full(8, 1.5))}), "panels: got .* for 'a'"),
        (lambda: draw_filter({}), "panels: got 0"),
        (lambda: draw_filter(dict.fromkeys("abc", GOOD)), "panels: got 3"),
        (lambda: draw_filter({"a": (ACTIONS, ACTIONS[1:], 0.5, -0.5)}), r"panels: got \(41,\) and"),
        (lambda: draw_filter({"a": (ACTIONS, ACTIONS, 0.5)}), r"panels: got .* and \(1,\)"),
        (lambda: draw_filter({"a": (ACTIONS[::-1], ACTIONS, 0.5, -0.5)}), "panels: got .* for 'a'"),
        (lambda: draw_filter({"a": (ACTIONS, ACTIONS, 1.5, -0.5)}), "panels: got .* for 'a'"),
        (lambda: draw_filter({"a": (ACTIONS, ACTIONS * np.nan, 0.5, -0.5)}), "panels: got NaN"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, name):
    with pytest.raises(ValueError, match=f"^{name}.*; expected"):
        call()
