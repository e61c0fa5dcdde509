"""Judge a live run: its trace is replayed, and the checker hears that."""

from pathlib import Path

from cluster.hosts.host import Listener
from cluster.live.outcome import LiveError
from cluster.properties.checker import Checker
from cluster.replay.replaying import ReplayResult, replay
from cluster.scenario.setup import Setup


def hear(
    trace: Path,
    setup: Setup,
    checker: Checker | None,
    listeners: tuple[Listener, ...] = (),
    *,
    complete: bool,
) -> ReplayResult:
    """Replay a run for a checker, and for listeners of its facts.

    complete: the run came to rest; what still waits then waits for ever.

    Raises:
        LiveError: the trace does not replay.
        InputError: it can not be read.
    """
    file = setup.scenario.workload.file
    replayed = replay(
        trace,
        observers=(checker,) if checker is not None else (),
        listeners=listeners,
        workload=Path(file) if file else None,
    )
    if replayed.difference is not None:
        raise LiveError(f"{trace}: does not replay:\n{replayed.difference.text()}")
    if checker is not None:
        checker.finish(complete=complete)
    return replayed
