"""How a live run ends, and what can go wrong with it."""

from pathlib import Path

import msgspec

from cluster.hosts.host import Outcome
from cluster.replay.causal_cut import Cut


class LiveError(Exception):
    """A live run could not start, or had to end; the message says why, and what is kept."""


class WorkerDiedError(LiveError):
    """An actor's process is gone, and with it what it had not yet told the driver.

    `cut` says what the trace kept: every delivery whose causes are all in the logs that arrived.
    """

    def __init__(self, name: str, trace: Path | None, cut: Cut | None) -> None:
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


class Kill(msgspec.Struct, frozen=True):
    """A fault drill: end an actor's process once so many deliveries are known."""

    actor: str
    after: int


class LiveOutcome(Outcome, kw_only=True):
    """How a live run ended, and what the transport did.

    Times are of the wall clock of this machine, in seconds; `busy_ns` is kernel work charged to
    each actor, by name. Simulated time does not exist: `simulated_ns` is 0.
    """

    startup_s: float
    wall_s: float
    deliveries_per_s: float
    #: batches delivered, and messages in them on average (an actor's own need no call)
    calls: int
    messages_per_call: float
    polls: int
    busy_ns: dict[str, int]
    #: facts by class name; replay the trace for the facts themselves
    facts: dict[str, int]
