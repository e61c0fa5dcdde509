"""Hunt: run a scenario again and again, until a run breaks a promise.

Each run is recorded, and judged by its replay. Its trace is kept if it is the first to break some
promise; otherwise the next run overwrites it. Only `hunt_on_ray` needs Ray.
"""

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import msgspec

from cluster.explore.walk import crash
from cluster.live.errors import MachineRaisedError
from cluster.live.hunt_plan import Plan
from cluster.live.judging import hear
from cluster.properties.checker import Checker
from cluster.properties.violation import Violation
from cluster.runs.interruption import interruptible
from cluster.runs.judged_run import RAY_FREE
from cluster.scenario.setup import Setup
from cluster.trace.format import SUFFIX, header_of
from cluster.trace.writer import TraceWriter

#: trace of the current run; an error leaves it behind
RUNNING_TRACE = f"running{SUFFIX}"
FOUND = "run"


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """The first run that broke a promise."""

    property: str
    text: str
    operations: tuple[str, ...]
    #: counted from 1
    run: int
    jitter: int | None
    deliveries: int
    trace: str


class Hunted(msgspec.Struct, kw_only=True):
    """What a hunt has seen so far."""

    runs: int = 0
    broke: int = 0
    #: runs that the limit ended: whether they would have come to rest is unknown
    cut: int = 0
    deliveries: int = 0
    #: in how many runs each promise was broken
    properties: dict[str, int] = {}
    found: list[Find] = []
    startup_s: float = 0.0
    #: since the first run began
    wall_s: float = 0.0
    #: number of the signal that ended it, or 0
    signal: int = 0

    @property
    def first_at_run(self) -> int | None:
        """Return the number of the first run that broke a promise."""
        return self.found[0].run if self.found else None


#: called with what is known, and the deliveries of the current run
Watch = Callable[[Hunted, int], None]
#: records a run: (trace, seed of its jitter, progress) -> whether it came to rest
MakeRun = Callable[[Path, int | None, Callable[[int], None]], bool]


def hunt(
    setup: Setup,
    plan: Plan,
    folder: Path,
    make_run: MakeRun,
    *,
    hunted: Hunted,
    watch: Watch = lambda _, __: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Make runs until one breaks a promise, or all of them.

    folder: for the traces.
    hunted: filled in; whatever happens, it holds what is known so far.
    stop: asked between runs; a run that was cut short by it counts only if it broke something.

    Raises:
        LiveError: a run failed, or does not replay; its trace stays in the folder.
        InputError: a trace cannot be written.
    """
    trace = folder / RUNNING_TRACE
    for run in range(1, plan.runs + 1):
        watch(hunted, 0)
        complete = _run(make_run, trace, plan.jitter_of(run), lambda n: watch(hunted, n))
        broken, deliveries = _judged(trace, setup, complete=complete)
        if stop() and not broken and not complete:
            break
        _count(hunted, broken, deliveries)
        hunted.cut += not complete and not broken
        _keep(hunted, broken, trace, plan.jitter_of(run), deliveries)
        if stop() or (broken and not plan.all):
            break
    trace.unlink(missing_ok=True)


def _run(
    make_run: MakeRun, trace: Path, jitter: int | None, progress: Callable[[int], None]
) -> bool:
    try:
        return make_run(trace, jitter, progress)
    except MachineRaisedError:
        return False  # its replay raises, too


def _judged(trace: Path, setup: Setup, *, complete: bool) -> tuple[dict[str, Violation], int]:
    """Return the first violation of each broken promise, and the deliveries of the run."""
    checker = Checker(setup)
    replayed = hear(trace, setup, checker, complete=complete)
    raised = [crash(f"{name}: {text}") for name, text in replayed.failures.items()]
    broken: dict[str, Violation] = {}
    for violation in (*checker.violations, *raised):
        broken.setdefault(violation.property, violation)
    return broken, replayed.deliveries


def _count(hunted: Hunted, broken: dict[str, Violation], deliveries: int) -> None:
    hunted.runs += 1
    hunted.broke += bool(broken)
    hunted.deliveries += deliveries
    for name in broken:
        hunted.properties[name] = hunted.properties.get(name, 0) + 1


def _keep(
    hunted: Hunted,
    broken: dict[str, Violation],
    trace: Path,
    jitter: int | None,
    deliveries: int,
) -> None:
    """Keep the trace of a run if it is the first to break some promise."""
    known = {find.property for find in hunted.found}
    news = [violation for name, violation in broken.items() if name not in known]
    if not news:
        return
    name = f"{FOUND}-{news[0].property}" if hunted.found else FOUND
    kept = trace.rename(trace.with_name(name + SUFFIX))
    for violation in news:
        find = Find(
            property=violation.property,
            text=violation.text,
            operations=violation.operations,
            run=hunted.runs,
            jitter=jitter,
            deliveries=deliveries,
            trace=str(kept),
        )
        hunted.found.append(find)


def hunt_on_ray(
    setup: Setup,
    plan: Plan,
    folder: Path,
    *,
    hunted: Hunted,
    watch: Watch = lambda _, __: None,
    address: str | None = None,
) -> None:
    """Hunt on one Ray cluster, with the same actors for all runs.

    address: of a running cluster; None: one is started, and ended.

    Raises:
        WorkerDiedError: an actor's process is gone.
        LiveError, InputError: as `hunt`.
    """
    from cluster.live.launch import started  # noqa: PLC0415 - importing ray takes seconds

    with (
        redirect_stdout(sys.stderr),  # what Ray says about dead workers is not a result
        interruptible() as asked,
        started(setup, address=address) as actors,
    ):
        hunted.startup_s = actors.startup_s
        begun_s = time.monotonic()

        def stop() -> bool:
            return bool(asked.number)

        def make_run(path: Path, jitter: int | None, progress: Callable[[int], None]) -> bool:
            actors.reset(jitter)
            with TraceWriter(path, header_of(setup, engine=RAY_FREE, kind="order")) as trace:
                return actors.run(trace, limit=plan.limit, on_progress=progress, stop=stop).complete

        try:
            hunt(setup, plan, folder, make_run, hunted=hunted, watch=watch, stop=stop)
        finally:
            hunted.wall_s = time.monotonic() - begun_s
            hunted.signal = asked.number
