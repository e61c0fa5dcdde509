"""What can go wrong with a live run. Imports nothing: `holezero --help` has these loaded."""

from pathlib import Path
from typing import Protocol


class Kept(Protocol):
    """How much of a trace is kept when a process is lost (`cluster.replay.causal_cut.Cut`)."""

    @property
    def kept(self) -> int:
        """Return how many deliveries have all their causes in the logs that arrived."""
        ...

    @property
    def dropped(self) -> int:
        """Return how many more deliveries are known."""
        ...


class LiveError(Exception):
    """A live run could not start, or had to end; the message says why, and what is kept."""


class WorkerDiedError(LiveError):
    """An actor's process is gone, and with it what it had not yet told the driver.

    `cut` says what the trace kept: every delivery whose causes are all in the logs that arrived.
    """

    def __init__(self, name: str, trace: Path | None, cut: Kept | None) -> None:
        self.name = name
        self.trace = trace
        self.cut = cut
        kept = "no trace was asked for"
        if cut is not None:
            kept = (
                f"{trace} keeps {cut.kept:,} deliveries and replays; {cut.dropped:,} more are "
                "known but their causes are lost"
            )
        super().__init__(f"the process of {name} died: {kept}")


class MachineRaisedError(LiveError):
    """A machine raised; the trace, if any, ends there, and its replay raises the same."""

    def __init__(self, failures: dict[str, str], trace: Path | None) -> None:
        self.failures = failures
        self.trace = trace
        told = "; ".join(f"{name}: {text}" for name, text in failures.items())
        super().__init__(told + (f" (replay {trace} to see it again)" if trace else ""))
