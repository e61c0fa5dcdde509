"""Ctrl-C and SIGTERM during a run: it ends at the next pause, and keeps all that it has."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Says whether somebody wants the run to end: `number` is the signal, or 0."""

    def __init__(self) -> None:
        """Start with no signal."""
        self.number = 0

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt  # asked twice: the pause takes too long to come
        self.number = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Handle the signals for a while; outside the main thread, do nothing."""
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
