"""Pictures with sliders, for readers with a running kernel; still pictures for the others."""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pgcourse import checks
from pgcourse.display.live import audience
from pgcourse.display.plots import png, show_png


def sliders(
    draw: Callable[..., Figure], alt: str, **ranges: tuple[float, float, float, float]
) -> None:
    """Display a picture that follows sliders; outside a notebook, the picture they start with.

    Args:
        draw: makes a figure of the sliders' values, given by name.
        alt: a text for those who cannot see it.
        ranges: a slider for each argument of `draw`: (lowest, highest, step, start).

    Raises:
        TypeError, ValueError: a range is not four numbers, or its start lies outside.
    """
    checks.instance("alt", alt, str, "a text")
    for name, given in ranges.items():
        if not (isinstance(given, tuple) and len(given) == 4):
            raise TypeError(f"{name}: got {given!r}; expected (lowest, highest, step, start)")
        checks.real(name, given[3], given[0], given[1])

    def drawn(**values: float) -> bytes:
        fig = draw(**values)
        plt.close(fig)
        return png(fig)

    first = drawn(**{name: start for name, (*_, start) in ranges.items()})
    more = {}
    if audience() == "notebook":
        box = slider_box(drawn, first, ranges)
        view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
        more = {"application/vnd.jupyter.widget-view+json": view}
    show_png(first, alt, more)  # GitHub's viewer, say, has no sliders: it takes the picture


def slider_box(drawn: Callable[..., bytes], first: bytes, ranges: dict[str, tuple]):
    """Return a widget with a slider for each range, and the picture that follows them."""
    import ipywidgets

    shown = ipywidgets.Image(value=first, format="png", layout={"max_width": "100%"})
    made = {
        name: ipywidgets.FloatSlider(
            start, min=low, max=high, step=step, description=name, readout_format=".3f",
            continuous_update=False,
        )
        for name, (low, high, step, start) in ranges.items()
    }  # fmt: skip

    def redraw(_) -> None:
        shown.value = drawn(**{name: slider.value for name, slider in made.items()})

    for slider in made.values():
        slider.observe(redraw, "value")
    return ipywidgets.VBox([*made.values(), shown])
