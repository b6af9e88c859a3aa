"""The training loop."""

import signal
import threading
from pathlib import Path

from pgcourse import checks
from pgcourse.checkpoint import read_snapshot, restore, save_agent
from pgcourse.history import History
from pgcourse.plotting import Monitor


class HeldInterrupt:
    """Holds the first Ctrl-C (or the notebook's stop button) back until a step is whole."""

    def __enter__(self) -> "HeldInterrupt":
        self.asked = False
        self.before = None
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self.note)
        return self

    def __exit__(self, *error) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def note(self, *_) -> None:
        """Remember the first request; obey the second at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was asked for."""
        if self.asked:
            raise KeyboardInterrupt


def carry_on(agent, checkpoint: str | Path) -> None:
    """Put the run that a checkpoint holds into an agent: a new one, or the one that saved it."""
    saved, fresh = read_snapshot(checkpoint), agent.total_steps == 0
    step = saved["numbers"]["total_steps"]
    if not fresh and agent.total_steps != step:
        raise ValueError(
            f"checkpoint: got one of step {step} for an agent at step {agent.total_steps}; "
            "expected a new file, or a new agent to carry on with"
        )
    restore(agent, saved)
    if not fresh and agent.total_steps >= agent.last_step:
        agent.first_step = agent.total_steps  # that run is finished: this is the next one
    print(f"Carrying on at step {agent.total_steps:,} from {checkpoint}")


def train(
    agent,
    num_frames: int,
    plotting_interval: int,
    checkpoint: str | Path | None,
    checkpoint_interval: int,
) -> History:
    """Train an agent: see `DDPGAgent.train`."""
    checks.integer("num_frames", num_frames)
    checks.integer("plotting_interval", plotting_interval, 0)
    checks.integer("checkpoint_interval", checkpoint_interval)
    agent.first_step = agent.total_steps
    if checkpoint is not None and Path(checkpoint).exists():
        carry_on(agent, checkpoint)
    last = agent.last_step = agent.first_step + num_frames
    with Monitor(last - agent.total_steps, plotting_interval) as monitor, HeldInterrupt() as stop:
        while agent.total_steps < last:
            obs = agent.reset() if agent.obs is None else agent.obs
            agent.step(agent.select_action(obs))
            if len(agent.memory) >= agent.memory.batch_size:
                agent.history.add_update(agent.total_steps, agent.update_model())
            monitor.tick(agent.history)
            due = agent.total_steps % checkpoint_interval == 0 or agent.total_steps == last
            if checkpoint is not None and (due or stop.asked):
                save_agent(agent, checkpoint)
            stop.check()
    return agent.history
