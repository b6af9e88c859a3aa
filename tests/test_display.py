"""Plots, listings, videos: what a notebook displays."""

import ast
import importlib
import inspect
import io
import math
from base64 import b64decode
from itertools import pairwise
from unittest.mock import Mock

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from pgcourse import (
    OptimalAgent,
    ReplayBuffer,
    optimal_values,
    plot_history,
    render_episode,
    save_video,
    show_figure,
    show_source,
    show_video,
    sliders,
    soft_update,
    td_target,
)
from pgcourse.display import colors
from pgcourse.display.curves import draw_arms, draw_seeds
from pgcourse.display.live import Monitor, audience, silence
from pgcourse.display.networks import draw_networks
from pgcourse.display.pendulum import draw_maps, draw_ridge, map_levels, unwrapped
from pgcourse.display.plots import png, running_mean, words
from pgcourse.display.returns import (
    draw_errors,
    draw_estimates,
    draw_learning,
    draw_starts,
    draw_study,
    draw_swings,
)
from pgcourse.display.swing import swing_film
from pgcourse.display.video import show_film
from pgcourse.parts.history import History


@pytest.fixture(autouse=True)
def shell():
    """Display needs a shell to display in."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
    plt.close("all")


def shown(function, *args, **kwargs):
    """The one thing that a call displays: (data, metadata)."""
    with capture_output() as captured:
        function(*args, **kwargs)
    (output,) = captured.outputs
    return output.data, output.metadata


def frames(n, size=(40, 60)):
    return [np.full((*size, 3), 10 * k % 250, dtype=np.uint8) for k in range(n)]


def test_show_source_lists_functions_methods_and_classes_as_they_run():
    data, _ = shown(show_source, td_target, soft_update, ReplayBuffer.sample_batch)
    text = data["text/plain"]
    assert data["text/markdown"] == f"```python\n{text}\n```"
    assert text.startswith("# pgcourse/parts/equations.py\ndef td_target(")
    assert text.count("# pgcourse/") == 2  # one heading per file
    assert "\ndef sample_batch(self)" in text  # a method, not indented


def test_show_source_prints_td_target_in_five_lines_below_its_path():
    data, _ = shown(show_source, td_target)
    assert data["text/plain"].splitlines() == [
        "# pgcourse/parts/equations.py",
        "def td_target(",
        "    reward: Tensor, next_q: Tensor, terminated: Tensor, gamma: float",
        ") -> Tensor:",
        '    """Return the TD target, 03 Eq. 6: y = r + γ (1 − terminated) Q\'(s\', μ\'(s\'))."""',
        "    return (reward + gamma * (1.0 - terminated) * next_q).detach()",
    ]


def test_show_source_keeps_other_decorators_and_cuts_every_docstring_of_a_class():
    text = shown(show_source, OptimalAgent, optimal_values, silence)[0]["text/plain"]
    ast.parse(text)  # it still is Python
    assert '"""Acts greedily on the optimal values; counts its steps, so it plays' in text
    assert "Args:" not in text and "Raises:" not in text
    assert "@contextmanager\ndef silence()" in text
    assert "@lru_cache(maxsize=4)\ndef optimal_values(" in text
    assert inspect.getsource(OptimalAgent.policy).splitlines()[-1] in text


def test_show_source_refuses_what_has_no_source():
    with pytest.raises(TypeError, match="^objects: got .*expected a function"):
        show_source(len)


def test_show_figure_displays_one_png_with_a_text_and_closes_the_figure():
    fig, _ = plt.subplots()
    data, metadata = shown(show_figure, fig, "an empty plot")
    assert data["image/png"] and metadata["image/png"]["alt"] == "an empty plot"
    assert not plt.fignum_exists(fig.number)


def test_running_mean_by_hand():
    assert running_mean([1.0, 3.0, 5.0, 7.0], window=2).tolist() == [1.0, 2.0, 4.0, 6.0]
    assert running_mean([], window=2).tolist() == []


def history(*names):
    made = History()
    made.add_episode(200, -1_000.0)
    made.add_update(4_000, dict.fromkeys(names, 1.0))
    return made


def test_a_short_history_is_not_averaged_into_one_number():
    for count, window in ((5, 1), (40, 4), (2_000, 100)):
        made = History()
        for k in range(count):
            made.add_update(k, {"critic_loss": float(k)})
        fig = plot_history(made)
        assert fig.axes[1].lines[0].get_ydata()[-1] == count - 1 - (window - 1) / 2
        assert f"or {window} updates" in fig.get_supxlabel()


def test_plot_history_has_a_panel_for_the_returns_and_one_for_each_loss_in_words():
    assert repr(History()) == "<History: 0 episodes; no losses>"
    assert repr(history("q_term")) == "<History: 1 episodes; 1 of q_term>"
    assert len(plot_history(History()).axes) == 1
    fig = plot_history(history("critic_loss", "actor_loss"))
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "Return",
        "Critic's loss",
        "Actor's loss",
    ]
    assert fig.axes[0].get_ylabel() == "sum of rewards"
    assert fig.get_supxlabel().startswith("environment steps")
    assert fig.axes[1].xaxis.get_major_formatter()(4_000, 0) == "4k"
    colours = [ax.lines[-1].get_color() for ax in fig.axes]
    assert colours == [colors.ACTOR, colors.CRITIC, colors.ACTOR]


def test_no_more_than_three_panels_stand_in_a_row_and_no_identifier_is_shown():
    names = ["critic_loss", "actor_loss", "entropy", "temperature_loss", "temperature"]
    for n, shape in ((2, (1, 3)), (3, (2, 2)), (4, (2, 3)), (5, (2, 3))):
        fig = plot_history(history(*names[:n]))
        grid = fig.axes[0].get_gridspec()
        assert (len(fig.axes), grid.get_geometry()) == (n + 1, shape)
        assert fig.get_size_inches().tolist() == [7.2, 3.0 if shape[0] == 1 else 4.5]
        assert not any("_" in ax.get_title(loc="left") for ax in fig.axes)
    assert [words(name) for name in ("q_term", "bc_term", "pass_rate", "entropy", "kl")] == [
        "Q term", "Cloning term", "Pass rate", "Entropy", "KL",
    ]  # fmt: skip


def test_a_figure_of_7_inches_is_1440_pixels_wide_and_shown_at_720():
    data, metadata = shown(show_figure, plt.figure(figsize=(7.2, 3.0)), "nothing")
    image = Image.open(io.BytesIO(b64decode(data["image/png"])))
    assert image.size == (1440, 600)
    assert metadata["image/png"] == {"alt": "nothing", "width": 720}


def test_the_style_is_the_courses():
    assert plt.rcParams["figure.figsize"] == [7.2, 3.0]
    assert plt.rcParams["axes.titlelocation"] == "left"
    assert plt.rcParams["axes.prop_cycle"].by_key()["color"][0] == colors.ACTOR


def test_a_flat_picture_has_128_colours_and_keeps_white_and_the_roles():
    fig, ax = plt.subplots()
    ax.plot([0, 1], color=colors.ACTOR)
    ax.plot([1, 0], color=colors.CRITIC)
    image = Image.open(io.BytesIO(png(fig)))
    assert image.mode == "P" and len(image.getcolors()) <= 128
    found = {to_hex(np.divide(c, 255)).upper() for _, c in image.convert("RGB").getcolors()}
    assert {"#FFFFFF", colors.ACTOR, colors.CRITIC} <= found
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_keeps_all_its_colours():
    fig = plt.figure()
    noise = np.random.default_rng(0).integers(256, size=(60, 144, 3), dtype=np.uint8)
    fig.figimage(noise.repeat(10, axis=0).repeat(10, axis=1))
    assert Image.open(io.BytesIO(png(fig))).mode == "RGB"


def test_seeds_are_thin_and_their_mean_is_thick_with_its_label_at_the_end():
    ax = Figure().subplots()
    draw_seeds(ax, [0, 10], [[0.0, 1.0], [2.0, 3.0]], colors.TEACHER, "the teacher", "--")
    *thin, mean = ax.lines
    assert [line.get_linewidth() for line in ax.lines] == [0.8, 0.8, 2.2]
    assert {line.get_color() for line in ax.lines} == {colors.TEACHER}
    assert {line.get_alpha() for line in thin} == {0.35}
    assert mean.get_ydata().tolist() == [1.0, 2.0] and mean.get_linestyle() == "--"
    (label,) = ax.texts
    assert (label.get_text(), label.xy) == ("the teacher", (10, 2.0))
    assert label.get_color() == colors.TEACHER_TEXT


def test_labels_of_lines_that_end_together_do_not_overlap():
    fig = Figure()
    ax = fig.subplots()
    for k, name in enumerate(("one", "two", "three", "four")):
        draw_seeds(ax, [0, 10], [[0.0, 100.0 + k]], colors.ACTOR, name)
    fig.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 for low, high in pairwise(boxes))


def test_an_arm_has_a_dot_for_each_seed_hollow_where_it_failed():
    ax = Figure().subplots()
    values = [np.array([-900.0, -150.0, -160.0]), np.array([-200.0])]
    draw_arms(ax, ["DDPG", "TD3"], values, colors.FOURTH, failed_below=-400.0)
    good, failed, mean = ax.lines[:3]
    assert sorted(good.get_xdata()) == [-160.0, -150.0]
    assert failed.get_xdata().tolist() == [-900.0]
    assert failed.get_markerfacecolor() == "white"
    assert mean.get_xdata()[0] == pytest.approx(-1210 / 3)
    assert ax.lines[3].get_color() == colors.FOURTH
    assert "1 of 3 fail" in [text.get_text() for text in ax.texts]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DDPG", "TD3"]
    assert ax.yaxis_inverted()


def test_four_networks_fill_a_tall_picture():
    fig = draw_networks()
    assert fig.get_size_inches().tolist() == [7.2, 4.5]
    said = [text.get_text() for text in fig.axes[0].texts]
    assert [r"$\mu$", r"$\mu'$", "$Q'$"] == [s for s in (r"$\mu$", r"$\mu'$", "$Q'$") if s in said]
    fig.draw_without_rendering()
    ground = fig.bbox
    for text in fig.axes[0].texts:
        box = text.get_window_extent()
        assert ground.x0 <= box.x0 and box.x1 <= ground.x1, text
        assert ground.y0 <= box.y0 and box.y1 <= ground.y1, text


GRID = np.outer(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))


def test_an_angle_that_wraps_breaks_its_line():
    angle, velocity = unwrapped(np.array([3.0, -3.0, 3.1, 3.0]), np.arange(4.0))
    nan = math.nan
    np.testing.assert_array_equal(angle, [3.0, nan, -3.0, nan, 3.1, 3.0])
    np.testing.assert_array_equal(velocity, [0.0, nan, 1.0, nan, 2.0, 3.0])


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (6, (2, 3))])
def test_maps_stand_three_in_a_row_at_most_over_words_with_one_colour_bar(n, shape):
    fig = draw_maps({f"map {k}": GRID * k for k in range(n)}, "difference")
    *maps, bar = fig.axes
    assert len(maps) == n and maps[0].get_gridspec().get_geometry() == shape
    assert fig.get_size_inches().tolist() == [7.2, 3.0 if shape[0] == 1 else 4.5]
    names = [label.get_text() for label in maps[-1].get_xticklabels()]
    assert names[::2] == ["hanging", "up", "hanging"]
    assert bar.get_ylabel() == "difference"


def test_a_map_has_the_angle_at_its_foot_and_the_velocity_at_its_side():
    steep = np.tile(np.linspace(-2, 2, 9)[:, None], (1, 5))  # grows with the angle alone
    ax = draw_maps({"torque": steep}, "torque").axes[0]
    filled = ax.collections[0]
    lowest, highest = (filled.get_paths()[k].get_extents() for k in (0, -1))
    assert lowest.x0 == -180 and highest.x1 == 180 and lowest.x1 < highest.x0
    assert (lowest.y0, lowest.y1) == (-8, 8)
    assert filled.levels[0] == -2 and filled.levels[-1] == 2


@pytest.mark.parametrize("grid", [GRID, GRID * 300 - 300, GRID * 0, -(GRID**8) * 1e4, GRID * 1e-4])
@pytest.mark.parametrize("kind", ["value", "difference"])
def test_levels_rise_and_cover_the_map(grid, kind):
    levels, ticks = map_levels([grid], kind)
    assert (np.diff(levels) > 0).all() and 2 <= len(levels) <= 11
    assert levels[0] <= grid.min() and grid.max() <= levels[-1]
    assert levels[0] <= min(ticks) and max(ticks) <= levels[-1]
    assert kind == "value" or levels[0] == -levels[-1]
    draw_maps({"map": grid}, kind)


def test_lines_around_visits_enclose_half_of_them_round_the_whole_circle():
    rng = np.random.default_rng(0)
    visits = {"map": (rng.uniform(-math.pi, math.pi, 50_000), rng.normal(0, 2.0, 50_000))}
    ax = draw_maps({"map": GRID}, "value", visits=visits).axes[0]
    ninety, half = (path.get_extents() for path in ax.collections[-1].get_paths())
    # A normal density holds half its mass within 0.67 deviations, 90 % within 1.64.
    assert half.y1 == pytest.approx(1.35, abs=0.45)
    assert ninety.y1 == pytest.approx(3.29, abs=0.45)
    assert (half.x0, half.x1) == pytest.approx((-185, 185))  # no end where the angle wraps


def test_a_ridge_is_dashed_where_q_is_highest_and_breaks_where_it_jumps():
    angle, action = np.linspace(-np.pi, np.pi, 21), np.linspace(-1, 1, 11)
    best = np.where(angle < 0, 1.0, -1.0)
    q = -((action - best[:, None]) ** 2) - 100 * np.abs(angle[:, None])
    fig = draw_ridge({"after 500 updates": (q, np.tanh(angle))})
    actor, ridge = fig.axes[0].lines
    assert (actor.get_color(), ridge.get_color()) == (colors.ACTOR, colors.EXACT)
    assert ridge.get_linestyle() == "--"
    y = ridge.get_ydata()
    assert np.isnan(y).sum() == 1 and y[0] == 1.0 and y[-1] == -1.0
    np.testing.assert_allclose(actor.get_ydata(), np.tanh(angle))
    assert fig.axes[0].collections[0].levels[0] == pytest.approx(-4.0)  # the angle's part is gone


def episode(n, turn=0.1):
    angle = np.remainder(math.pi + turn * np.arange(n) + math.pi, 2 * math.pi) - math.pi
    torque = np.where(np.arange(n) % 40 < 20, 2.0, -2.0)
    return np.stack([angle, np.full(n, 20 * turn), torque, np.full(n, -1.0)], axis=1)


def test_a_film_has_a_frame_for_each_step_of_six_seconds_and_a_poster():
    frames, poster = swing_film({"untrained": episode(200), "trained": episode(60, 0.2)}, GRID)
    assert len(frames) == 121  # 0.00 s to 6.00 s
    assert {frame.shape for frame in [*frames, poster]} == {(300, 720, 3)}
    changed = [(a != b).any() for a, b in pairwise(frames)]
    assert all(changed)
    assert len(swing_film({"short": episode(5)}, GRID)[0]) == 5
    data, metadata = shown(show_film, frames, poster, "a pendulum")
    picture = b64decode(data["image/png"])
    assert metadata["image/png"] == {"alt": "a pendulum", "width": 720}
    assert len(picture) < 450_000
    image = Image.open(io.BytesIO(picture))
    assert image.default_image and image.n_frames == 122 and image.info["loop"] == 0
    durations = []
    for k, drawn in enumerate([poster, *frames]):
        image.seek(k)
        durations.append(image.info.get("duration"))
        if k % 30 == 0:  # each frame is whole again, though the file holds only what changes
            shown_ = np.asarray(image.convert("RGB"), dtype=int)
            off = np.abs(shown_ - drawn).max(axis=2)
            assert (off > 40).mean() < 0.002 and (shown_[0, 0] == 255).all()
    assert durations[1:] == [50.0] * 120 + [1800.0]
    assert len(image.palette.colors) <= 128


def test_the_time_and_return_in_a_film_are_those_of_the_steps_taken(monkeypatch):
    said = []
    scene = importlib.import_module("pgcourse.display.swing").Scene
    show = scene.show

    def spy(self, *args):
        show(self, *args)
        said.append(self.text.get_text())

    monkeypatch.setattr(scene, "show", spy)
    swing_film({"trained": episode(200)}, GRID)
    assert said[0].split() == ["0.00", "s", "return", "0"]
    assert said[20].split() == ["1.00", "s", "return", "−20"]
    assert said[120].split() == said[121].split() == ["6.00", "s", "return", "−120"]


class Drawing(gym.Env):
    """Draws itself, but lists no render modes, unless it is told to be blind."""

    observation_space = action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, render_mode=None, blind=False):
        self.render_mode, self.blind = render_mode, blind

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, True, False, {}

    def render(self):
        return None if self.blind else np.full((4, 6, 3), 7, np.uint8)


@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_an_environment_that_draws_need_not_list_render_modes():
    class Agent:
        def policy(self, obs):
            return np.zeros(1, np.float32)

    gym.register("Drawing-v0", Drawing)
    try:
        for env in (Drawing, "Drawing-v0"):
            made = render_episode(Agent(), env, seed=0)
            assert made.score == 1.0 and made.frames[0].shape == (4, 6, 3)
        with pytest.raises(ValueError, match="^env: got .*expected one that draws itself"):
            render_episode(Agent(), Drawing, seed=0, blind=True)
    finally:
        del gym.registry["Drawing-v0"]


def test_nobody_is_shown_nothing(monkeypatch, capsys):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    with capture_output() as captured, Monitor(10, 1) as monitor:
        for _ in range(10):
            monitor.tick(History())
    assert not captured.outputs and capsys.readouterr() == ("", "")


def test_a_notebook_is_shown_one_plot_that_is_redrawn(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "notebook")
    monkeypatch.setattr("pgcourse.display.live.tqdm_auto", Mock())
    show = Mock()
    monkeypatch.setattr("pgcourse.display.plots.display", show)
    with Monitor(10, 3) as monitor:
        for _ in range(10):
            monitor.tick(History())
    assert [call.kwargs["update"] for call in show.call_args_list] == [False, True, True]
    assert show.call_args.kwargs["display_id"] is show.return_value.display_id
    assert monitor.bar.update.call_count == 10


def test_audience_is_a_guess_that_the_environment_can_overrule(monkeypatch):
    monkeypatch.delenv("PGCOURSE_AUDIENCE", raising=False)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert audience() == "nobody"
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "terminal")
    assert audience() == "terminal"


def test_show_video_is_an_animated_png_of_the_right_length_at_half_size():
    data, metadata = shown(show_video, frames(41), alt="grey getting lighter", fps=20)
    assert metadata["image/png"]["alt"] == "grey getting lighter"
    image = Image.open(io.BytesIO(b64decode(data["image/png"])))
    assert image.is_animated and image.size == (30, 20)
    assert metadata["image/png"]["width"] == 30
    assert seconds(image) == pytest.approx(21 / 10, abs=0.05)


def test_equal_frames_are_merged_but_their_time_is_kept():
    data, _ = shown(show_video, frames(2)[:1] * 20 + frames(2)[1:] * 20, alt="two greys", fps=20)
    image = Image.open(io.BytesIO(b64decode(data["image/png"])))
    assert seconds(image) == pytest.approx(2.0, abs=0.05)


def seconds(image):
    total = 0.0
    for k in range(image.n_frames):
        image.seek(k)
        total += image.info["duration"]
    return total / 1000


@pytest.mark.parametrize("ending", ["mp4", "gif", "png"])
def test_save_video_writes_a_file_that_imageio_reads_back(tmp_path, ending):
    path = tmp_path / f"episode.{ending}"
    save_video(path, frames(10, size=(64, 96)), fps=20)
    read = iio.imread(path, index=None)
    assert read.shape[-3:-1] == (64, 96)
    assert abs(read[..., 0].reshape(len(read), -1).mean(1)[-1] - 90) < 4


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda path: save_video(path / "a.avi", frames(2)), "path"),
        (lambda path: save_video(path / "a.mp4", []), "frames"),
        (lambda path: save_video(path / "a.mp4", frames(2), fps=0), "fps"),
        (lambda path: show_video([], alt=""), "frames"),
        (lambda path: show_video(frames(2), alt="", every=0), "every"),
        (lambda path: show_film([], frames(1)[0], alt=""), "frames"),
        (lambda path: show_film(frames(2), frames(1, (4, 4))[0], alt=""), "poster"),
        (lambda path: show_film(frames(2), frames(1)[0], alt="", fps=0), "fps"),
        (lambda path: show_film(frames(2), frames(1)[0], alt=None), "alt"),
        (
            lambda path: draw_seeds(Figure().subplots(), [0, 1], [0.0, 1.0], colors.ACTOR, ""),
            "values",
        ),
        (lambda path: draw_arms(Figure().subplots(), ["a"], [], colors.ACTOR), "values"),
        (lambda path: draw_arms(Figure().subplots(), ["a"], [[]], colors.ACTOR), "values"),
        (lambda path: draw_maps({"a": GRID}, "policy"), "kind"),
        (lambda path: draw_maps({}, "value"), "panels"),
        (lambda path: draw_maps({"a": GRID[0]}, "value"), "panels"),
        (lambda path: draw_maps({"a": GRID * math.nan}, "value"), "panels"),
        (lambda path: draw_maps({"a": GRID}, "value", visits={"b": ()}), "visits"),
        (lambda path: draw_ridge({"a": (GRID, np.zeros(20))}), "panels"),
        (lambda path: swing_film({}, GRID), "episodes"),
        (lambda path: swing_film({"a": np.zeros((9, 3))}, GRID), "episodes"),
        (lambda path: swing_film({"a": episode(9)}, np.zeros(9)), "value"),
    ],
)
def test_bad_arguments_are_refused_by_name(tmp_path, call, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: got .*expected"):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


def line(slope, offset):
    fig, ax = plt.subplots()
    ax.plot([0, 1], [offset, slope + offset])
    return fig


RANGES = {"slope": (0.0, 2.0, 0.5, 1.0), "offset": (-1.0, 1.0, 0.1, 0.0)}


def test_sliders_are_a_still_picture_where_nobody_can_move_them(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "nobody")
    data, metadata = shown(sliders, line, "A line.", **RANGES)
    assert set(data) == {"image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == "A line."
    assert Image.open(io.BytesIO(b64decode(data["image/png"]))).width > 200
    assert plt.get_fignums() == []


def test_sliders_redraw_the_picture_and_bring_a_still_one_along(monkeypatch):
    monkeypatch.setenv("PGCOURSE_AUDIENCE", "notebook")
    boxes = []
    explore = importlib.import_module("pgcourse.display.sliders")  # not its function `sliders`
    make = explore.slider_box
    monkeypatch.setattr(explore, "slider_box", lambda *args: boxes.append(make(*args)) or boxes[0])
    data, _ = shown(sliders, line, "A line.", **RANGES)
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == boxes[0].model_id
    *moved, picture = boxes[0].children
    assert [(s.description, s.min, s.max, s.step, s.value) for s in moved] == [
        (name, low, high, step, start) for name, (low, high, step, start) in RANGES.items()
    ]
    before = picture.value
    assert before == b64decode(data["image/png"])
    moved[0].value = 2.0
    assert picture.value != before
    moved[0].value = 1.0
    assert picture.value == before


@pytest.mark.parametrize("given", [(0, 1, 0.1), [0, 1, 0.1, 0.5], (0, 1, 0.1, 2.0), (0, 1, 1, "a")])
def test_a_bad_range_is_refused_by_name(given):
    with pytest.raises((TypeError, ValueError), match="^slope: got .*expected"):
        sliders(line, "A line.", slope=given)


def test_starts_show_three_players_and_the_regret():
    degrees, low, mid, top = np.arange(4), np.arange(4) - 9, np.arange(4) - 5, np.arange(4) - 2
    fig = draw_starts(degrees, {"random": low, "trained": mid, "best": top})
    left, right = fig.axes
    assert [line.get_label() for line in left.lines] == ["random", "trained", "best"]
    assert right.lines[0].get_ydata().tolist() == [3, 3, 3, 3]  # best minus trained
    with pytest.raises(ValueError, match="returns: got"):
        draw_starts(degrees, {"random": low, "trained": mid[:3], "best": top})


def test_estimates_show_where_no_return_can_be():
    ax = draw_estimates(np.array([-9.0, 0.0]), np.array([-5.0, 4.0])).axes[0]
    grey = next(patch for patch in ax.patches)
    assert grey.get_y() == 0.0 and grey.get_y() + grey.get_height() == ax.get_ylim()[1] > 4.0


def test_swings_are_not_torn_at_the_wrap_and_tell_their_return():
    path = np.zeros((40, 4))
    path[:, 0] = (np.linspace(3.0, 3.5, 40) + np.pi) % (2 * np.pi) - np.pi  # over the bottom
    path[:, 3] = -2.0
    ax = draw_swings({"trained": path, "best": path}).axes[0]
    assert np.abs(np.diff(ax.lines[0].get_ydata())).max() < 2.0
    assert ax.lines[0].get_label() == "trained: return -80"


def test_a_study_has_a_row_for_each_arm_and_lines_to_compare_with():
    arms = {"one": np.array([-3.0, -1.0]), "two": np.array([-8.0, -9.0])}
    ax = draw_study("two is worse", arms, {"near-optimal": -1.0, "random": -10.0}, -5.0).axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["one", "two"]
    assert {"near-optimal", "random"} <= {text.get_text() for text in ax.texts}
    assert ax.get_title(loc="left") == "two is worse"


def test_one_value_has_one_colour_in_all_panels():
    inside, beyond = np.full((9, 9), 30.0), np.full((9, 9), 30.0)
    beyond[0, 0] = 900.0
    fig = draw_maps({"a": inside, "b": beyond}, "difference", levels=np.array([-50, -5, 5, 50]))
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    places = [ax.transData.transform((0.0, 0.0)) for ax in fig.axes[:2]]  # the middle
    one, other = (pixels[-int(y), int(x)] for x, y in places)
    assert (one == other).all()


def test_failed_seeds_are_hollow_beside_their_errors_too():
    errors, returns = {"one": np.array([1.0, 50.0])}, {"one": np.array([-130.0, -900.0])}
    left, right = draw_errors("t", errors, returns, failed_below=-200).axes
    for ax, x in ((left, 50.0), (right, -900.0)):
        hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
        assert [line.get_xdata().tolist() for line in hollow] == [[x]]
    assert left.lines[2].get_xdata()[0] == 25.5


def test_learning_curves_are_labelled_at_their_ends():
    x, y = np.arange(3.0), np.arange(6.0).reshape(2, 3)
    fig = draw_learning("t", {"mine": (x, y, "#123456", "-")}, "seconds")
    (ax,) = fig.axes
    assert [text.get_text() for text in ax.texts] == ["mine"] and ax.get_xlabel() == "seconds"
