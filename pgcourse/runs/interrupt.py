"""Ctrl-C, or a notebook's stop button, between two steps and not inside of one."""

import signal
import threading


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
