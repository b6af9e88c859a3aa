"""A cockpit in the notebook: the reader drives, and what he did becomes demonstrations."""

from collections.abc import Callable

import gymnasium as gym

from pgcourse import checks
from pgcourse.display.video import drawer
from pgcourse.tasks.envs import check_spaces, make_env
from pgcourse.tasks.recording import PAGE, start_states


def drive(env: str | Callable[..., gym.Env], seed: int = 0, **options):
    """Return a cockpit: arrow keys, pointer or finger drive the task and record demonstrations.

    The mountain car and the pendulum run in the page, so that they feel right over a slow
    connection; any other environment runs in the kernel, picture by picture.

    Args:
        env, options: as for `make_env`; one or two actions, and it draws itself as "rgb_array".
        seed: of the first start state.

    Returns:
        A widget. Its `demo` is a list of transitions as `BCAgent` and `save_demos` take them,
        of all recorded episodes; empty before the first.

    Raises:
        TypeError, ValueError: the environment is of another kind, or cannot draw itself.
        ImportError: anywidget is not installed.
    """
    seed = checks.integer("seed", seed, 0)
    made = make_env(env, "rgb_array", **options)
    try:
        act_dim = check_spaces(made)[1]
        if act_dim > 2:
            raise ValueError(f"env: got {env!r} with {act_dim} actions; expected one or two")
        made.reset(seed=seed)
        draw = drawer(made)
        if draw is None:
            raise ValueError(f"env: got {env!r}; expected one that draws itself as 'rgb_array'")
        try:
            from pgcourse.display import cockpit
        except ImportError as error:
            said = f"drive needs anywidget: python -m pip install anywidget ({error})"
            raise ImportError(said) from error
        if env in PAGE and not options:
            found = cockpit.PageCockpit(env, start_states(env, made, seed), draw())
            made.close()
            return found
        return cockpit.KernelCockpit(made, draw, seed)
    except BaseException:
        made.close()
        raise
