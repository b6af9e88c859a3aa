"""Plots, listings, videos: what a notebook displays."""

import ast
import importlib
import inspect
import io
from base64 import b64decode
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot as plt
from PIL import Image

from pgcourse import (
    OptimalAgent,
    ReplayBuffer,
    optimal_values,
    plot_history,
    save_video,
    show_figure,
    show_source,
    show_video,
    sliders,
    soft_update,
    td_target,
)
from pgcourse.display.live import Monitor, audience, silence
from pgcourse.display.plots import running_mean
from pgcourse.parts.history import History


@pytest.fixture(autouse=True)
def shell():
    """Display needs a shell to display in."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


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


def test_show_source_prints_td_target_as_three_lines_below_its_path():
    data, _ = shown(show_source, td_target)
    assert data["text/plain"].splitlines() == [
        "# pgcourse/parts/equations.py",
        "def td_target(reward: Tensor, next_q: Tensor, terminated: Tensor, gamma: float)"
        " -> Tensor:",
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


def test_plot_history_has_one_labelled_panel_for_the_returns_and_one_for_each_loss():
    history = History()
    assert len(plot_history(history).axes) == 1
    history.add_episode(200, -1_000.0)
    history.add_update(201, {"critic_loss": 1.0, "actor_loss": 2.0})
    axes = plot_history(history).axes
    assert [ax.get_ylabel() for ax in axes] == [
        "return (sum of rewards)",
        "critic_loss",
        "actor_loss",
    ]
    assert {ax.get_xlabel() for ax in axes} == {"environment steps"}


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
