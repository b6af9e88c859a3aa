"""The robot arm's film, and its pictures of hits and of hindsight."""

from contextlib import closing

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

pytest.importorskip("gymnasium_robotics")

from pgcourse import PICK_AND_PLACE, make_env, pick_and_place
from pgcourse.display.arm import HELD, TOP, arm_film, draw_hindsight, draw_hits, sheet, stage
from pgcourse.display.colors import MET, TEACHER
from pgcourse.display.video import show_film
from pgcourse.tasks.envs import drawing

SEED, SIZE = 3, (560, 1440, 3)
GREEN, AMBER = (np.array(to_rgb(color)) * 255 for color in (MET, TEACHER))


class Watched:
    """The teacher, and what it saw."""

    def __init__(self):
        self.seen = []

    def policy(self, obs):
        self.seen.append(obs.copy())
        return pick_and_place(obs)


class Still:
    def policy(self, obs):
        return np.zeros(4, dtype=np.float32)


@pytest.fixture(scope="module")
def can_draw():
    drawing.cache_clear()  # other tests may have made it fail
    if drawing() is None:
        pytest.skip("no EGL and no OSMesa here")
    yield
    drawing.cache_clear()  # and ask anew


@pytest.fixture(scope="module")
def said():
    """All that is written in frames, in order."""
    with pytest.MonkeyPatch.context() as patch:
        texts, text = [], Figure.text

        def spy(self, x, y, words, **options):
            texts.append(words)
            return text(self, x, y, words, **options)

        patch.setattr(Figure, "text", spy)
        yield texts


@pytest.fixture(scope="module")
def film(can_draw, said):
    teacher = Watched()
    said.clear()
    frames, poster = arm_film({"still": Still(), "teacher": teacher}, PICK_AND_PLACE, [SEED])
    return frames, poster, teacher.seen, np.reshape(said, (26, -1)).tolist()


def near(pixel, color, off=40):
    return bool((np.abs(pixel.astype(float) - color) < off).all())


def test_a_film_has_a_frame_for_every_second_step_and_holds_the_last(film):
    frames, poster, *_ = film
    assert len(frames) == 26 + HELD
    assert {(frame.shape, frame.dtype.name) for frame in [*frames, poster]} == {(SIZE, "uint8")}
    assert all(np.array_equal(frames[25], frame) for frame in frames[26:])
    assert not np.array_equal(frames[24], frames[25]) and not np.array_equal(frames[0], frames[1])
    assert np.array_equal(poster, frames[-1])  # of a single start


def test_a_film_says_how_far_the_block_is_and_when_the_goal_is_met(film):
    frames, _, seen, said = film
    assert "start 1 of 1    0.0 s" in said[0] and "start 1 of 1    2.0 s" in said[25]
    assert "still" in said[7] and "teacher" in said[7]
    teachers = [words[words.index("still") + 1 :] for words in said]
    for k, words in enumerate(teachers[:25]):
        distance = 100 * np.linalg.norm(seen[2 * k][-6:-3] - seen[2 * k][-3:])
        assert f"block {np.ceil(distance):.0f} cm from the goal" in words
        assert ("met" in words) == (distance <= 5) and "missed" not in words
        # The panel's frame is green, or else it is not.
        assert near(frames[k][TOP + 300, 720 + 12], GREEN) == (distance <= 5)
        assert not near(frames[k][TOP + 300, 12], GREEN)
    assert "met" not in teachers[0] and "met" in teachers[25]
    assert "missed" in said[25] and "missed" not in said[24]


def test_drawing_changes_nothing_of_the_simulation(film):
    with closing(make_env(PICK_AND_PLACE)) as env:
        obs, over, undrawn = env.reset(seed=SEED)[0], False, []
        while not over:
            undrawn.append(obs.copy())
            obs, _, _, over, _ = env.step(pick_and_place(obs))
    assert np.array_equal(film[2], undrawn)


def test_the_goal_is_drawn_where_it_is_and_the_model_keeps_its_looks(can_draw):
    with closing(make_env(PICK_AND_PLACE, "rgb_array")) as env:
        env.reset(seed=SEED)
        model, data = env.unwrapped.model, env.unwrapped.data
        before = [x.copy() for x in (model.geom_rgba, model.site_pos, data.qpos, data.site_xpos)]
        with stage(env, 456) as draw:
            for goal in np.array([[1.2, 0.6, 0.87], [1.49, 0.9, 0.87], [1.49, 0.6, 0.8]]):
                picture, (x, y) = draw(goal)
                ball = np.linalg.norm(picture - GREEN, axis=2) < 80
                rows, columns = np.nonzero(ball[: round(y) + 1])
                assert ball[round(y), round(x)]
                assert abs(columns.mean() - x) < 2 and 12 < y - rows.min() < 24
                assert min(x, y, 456 - x, 400 - y) > 30  # the ring is not cut off
        assert (np.linalg.norm(picture - AMBER, axis=2) < 60).sum() > 100
        after = model.geom_rgba, model.site_pos, data.qpos, data.site_xpos
        assert all(map(np.array_equal, before, after))


@pytest.mark.parametrize("players", [1, 2, 3])
def test_a_poster_has_all_episodes(said, players):
    said.clear()
    width = min(1440 // players, 720) - 24
    blank = np.full((400, width, 3), 255, dtype=np.uint8)
    shots = [(blank, np.array([100.0, 100.0]), d, d < 0.05) for d in (0.012, 0.123, 0.456)]
    drawn = sheet(list("abc")[:players], [shots[:players], shots[:players]], "", True)
    assert drawn.shape == SIZE and drawn.dtype == np.uint8
    assert said.count("met") == 2 and said.count("missed") == 2 * (players - 1)
    assert said.count("block 2 cm\nfrom the goal") == 2 and "start 2" in said


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"players": {}}, ValueError, "players: got 0"),
        ({"players": dict.fromkeys("abcd", Still())}, ValueError, "players: got 4"),
        ({"players": {"a": 3}}, TypeError, "players: got 3 for 'a'"),
        ({"seeds": []}, ValueError, "seeds: got 0"),
        ({"seeds": range(4)}, ValueError, "seeds: got 4"),
        ({"seeds": [-1]}, ValueError, "seeds: got -1"),
        ({"env": "Pendulum-v1"}, ValueError, "env: got 'Pendulum-v1'"),
    ],
)
def test_bad_input_is_refused_by_name(change, error, name):
    with pytest.raises(error, match=f"^{name}"):
        arm_film(**{"players": {"a": Still()}, "env": PICK_AND_PLACE, "seeds": [0]} | change)


def test_a_film_can_be_stored_finer_than_it_is_shown():
    InteractiveShell.instance()
    frames = [np.full((8, 20, 3), shade, dtype=np.uint8) for shade in (0, 255)]
    for density, width in ((1, 20), (2, 10)):
        with capture_output() as captured:
            show_film(frames, frames[0], "an arm", density=density)
        assert captured.outputs[0].metadata["image/png"]["width"] == width
    with pytest.raises(ValueError, match="^density"):
        show_film(frames, frames[0], "an arm", density=0)
    InteractiveShell.clear_instance()


def test_hits_and_misses_are_drawn_where_the_goals_are():
    starts = np.tile([1.3, 0.7, 0.425], (4, 1))
    goals = np.add(starts, [[0.03, 0.04, 0.2], [0.0, 0.1, 0.4], [0.1, 0.0, 0.0], [0.2, 0.0, 0.0]])
    (ax,) = draw_hits(starts, goals, np.array([1, 0, 1, 1], dtype=bool), "A title").axes
    hits, misses = (line.get_xydata() for line in ax.lines)
    assert hits[:, 0] == pytest.approx([5, 10, 20]) and hits[0, 1] == pytest.approx(20)
    assert (hits[1:, 1] < 0).all()  # on the table
    assert misses == pytest.approx(np.array([[10.0, 40.0]]))
    assert ax.lines[1].get_markerfacecolor() == "none"  # hollow
    texts = [text.get_text() for text in ax.texts]
    assert texts[:3] == ["in the air", "● 1 met", "○ 1 missed"]
    assert texts[3:] == ["on the table", "● 2 met", "○ 0 missed"] and ax.get_title("left")
    for given in ((starts[:3], goals, "starts"), (starts, goals[:, :2], "goals")):
        with pytest.raises(ValueError, match=f"^{given[2]}: got"):
            draw_hits(*given[:2], np.ones(4, dtype=bool), "A title")


def test_in_hindsight_one_step_meets_the_goal():
    left, right = draw_hindsight().axes
    for ax, met in ((left, 0), (right, 1)):
        texts = [text.get_text() for text in ax.texts]
        assert (texts.count("−1"), texts.count("0")) == (9 - met, met)
    path, star = right.lines[0].get_xydata(), right.lines[-1].get_xydata()
    assert np.array_equal(path, left.lines[0].get_xydata()) and np.array_equal(star, path[-1:])
