"""The log of a run: JSON lines in its folder; warnings also on standard error if it is a terminal.

Decisions are logged, never messages: those are in the trace.
"""

import sys
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from cluster.input_error import InputError

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # they hold whole machines
)
_SHOWN = frozenset({"warning", "error", "critical", "exception"})


class RunLog:
    """A structured log that is open for the time of a run."""

    def __init__(self, path: Path) -> None:
        """Open the log for appending.

        Raises:
            InputError: the file cannot be written.
        """
        self.path = path
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as e:
            raise InputError(f"{path}: cannot be written: {e.strerror}.") from e
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _TRACEBACKS,
                _show_on_terminal,
                structlog.processors.JSONRenderer(default=str),
            ],
        )

    def info(self, event: str, **fields: object) -> None:
        """Log what happened."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what the user should know although the run goes on."""
        self._logger.warning(event, **fields)

    def failed(self, event: str, error: BaseException) -> None:
        """Log an error with its traceback."""
        self._logger.error(event, exc_info=error)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _show_on_terminal(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if method in _SHOWN and "exception" not in event and sys.stderr.isatty():
        fields = [f"{k}={v}" for k, v in event.items() if k not in ("event", "level", "timestamp")]
        sys.stderr.write(" ".join([f"{method}: {event['event']}", *fields]) + "\n")
    return event
