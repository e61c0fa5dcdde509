"""Ctrl-C and SIGTERM while a run goes on: the run ends at the next pause, with all that it has."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody wants the run to end; `number` is the signal, or 0."""

    def __init__(self) -> None:
        """Start with nobody asking."""
        self.number = 0

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt  # asked twice: whoever waits for a pause waits too long
        self.number = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take the signals over for a while; does nothing outside the main thread."""
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number in _SIGNALS:
            signal.signal(number, asked._asked)  # noqa: SLF001 - the handler is this module's own
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
