"""`ray --sync free`: every machine a process of its own, and what really happens is the run.

    outcome = run_live(setup, out=Path("run.trace"), kind="order")

There is no simulated time: figures of a live run are not cost figures. What a run costs follows
from its trace, like everything else about it.
"""

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from cluster.hosts.digest import combine
from cluster.hosts.host import Listener
from cluster.live.driver import ActorLostError, Driver
from cluster.live.host import Last, MachineHost, Part
from cluster.live.outcome import (
    Kill,
    LiveError,
    LiveOutcome,
    MachineRaisedError,
    WorkerDiedError,
)
from cluster.live.own_code import own_code
from cluster.replay.causal_cut import cut_to_causes
from cluster.runs.judged_run import RAY_FREE
from cluster.scenario.setup import Setup
from cluster.trace.format import End, header_of
from cluster.trace.writer import TraceWriter
from cluster.workload.reader import Workload

#: for batches in flight; the guest's bytes come on top
_OBJECT_STORE_BYTES = 256 * 1024 * 1024
#: an actor takes 0.3 s to start, more on a busy machine; they start a few at a time
_START_S = 180.0


def run_live(  # noqa: PLR0913 - what to record, how to go on, when to stop
    setup: Setup,
    *,
    out: Path | None,
    kind: str = "order",
    limit: int | None = None,
    on_progress: Callable[[int], None] | None = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] | None = None,
    kill: Kill | None = None,
    jitter: int | None = None,
    address: str | None = None,
) -> LiveOutcome:
    """Run a setup on Ray to quiescence, and record it.

    out: trace file to write, of kind `order` or `full`; None: nothing can be replayed or judged.
    limit: stop after about that many deliveries in all.
    on_progress: told the deliveries so far, some ten times a second.
    listener: told the facts as the polls bring them, of each actor in its order; times are 0.
    stop: asked as often; when it says so the run is stopped in good order (for signals).
    kill: a fault drill.
    jitter: seed; besides what Ray does, every actor draws the order of its mailbox.
    address: of a running cluster, which is left running; None starts one and ends it.

    Raises:
        WorkerDiedError: an actor's process is gone; the trace is cut to what replays.
        MachineRaisedError: a machine raised; the trace ends there.
        LiveError: no cluster, other code on it, or the transport failed.
        InputError: the trace or the workload can not be written or read.
    """
    recording: AbstractContextManager[TraceWriter | None] = nullcontext()
    if out is not None:
        recording = TraceWriter(out, header_of(setup, engine=RAY_FREE, kind=kind))
    with (
        recording as trace,
        started(setup, full=kind == "full", jitter=jitter, address=address) as actors,
    ):
        return actors.run(
            trace,
            limit=limit,
            on_progress=on_progress,
            listener=listener,
            stop=stop,
            kill=kill,
        )


class LiveActors:
    """The actors of a setup: they make a run, and after a reset another."""

    def __init__(self, setup: Setup, actors: list[Any], startup_s: float) -> None:
        """Take over actors that are connected to each other and have not begun."""
        self.setup = setup
        self.startup_s = startup_s
        self._actors = actors
        self._driver = Driver(setup.wiring.names, actors, None)

    def run(
        self,
        trace: TraceWriter | None,
        *,
        limit: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        listener: Listener | None = None,
        stop: Callable[[], bool] | None = None,
        kill: Kill | None = None,
    ) -> LiveOutcome:
        """Make a run and finish its trace; arguments and errors are those of `run_live`."""
        setup = self.setup
        driver = self._driver = Driver(setup.wiring.names, self._actors, trace, listener)
        begun_s = time.perf_counter()
        try:
            quiescent = driver.run(limit=limit, on_progress=on_progress, stop=stop, kill=kill)
        except ActorLostError as e:
            raise _worker_died(setup, driver, e.actor) from e
        except LiveError:
            driver.finish()  # what the actors know: the trace stays a prefix, but as long as can be
            raise
        wall_s = time.perf_counter() - begun_s
        outcome = _end(setup, driver, quiescent=quiescent)
        outcome.startup_s, outcome.wall_s = self.startup_s, wall_s
        outcome.deliveries_per_s = outcome.deliveries / max(wall_s, 1e-9)
        return outcome

    def reset(self, jitter: int | None) -> None:
        """Give the actors fresh machines for a run: that takes a few calls, not seconds.

        Raises:
            WorkerDiedError: an actor's process is gone.
            LiveError: the transport failed.
        """
        try:
            self._driver.reset(jitter)
        except ActorLostError as e:
            raise WorkerDiedError(self.setup.wiring.names[e.actor], None, None) from e


@contextmanager
def started(
    setup: Setup, *, full: bool = False, jitter: int | None = None, address: str | None = None
) -> Iterator[LiveActors]:
    """Be connected to Ray, with an actor for each machine of a setup; `full`: log every message.

    Raises:
        LiveError: no cluster, other code on it, or Ray failed meanwhile.
        InputError: the workload can not be read.
    """
    started_s = time.perf_counter()
    with connected(setup, address) as workload:
        actors = _start_actors(setup, workload, full=full, jitter=jitter)
        yield LiveActors(setup, actors, time.perf_counter() - started_s)


@contextmanager
def connected(setup: Setup, address: str | None) -> Iterator[bytes | None]:
    """Be connected to Ray; gives the bytes of the guest's workload file, if it has one.

    Raises:
        LiveError: connected already, no cluster, or Ray failed meanwhile.
    """
    if ray.is_initialized():
        raise LiveError("this process is connected to a Ray cluster already")
    guest = setup.guest
    workload = guest.content if isinstance(guest, Workload) else None
    options: dict[str, Any] = {"log_to_driver": False, "namespace": f"holezero-{uuid4()}"}
    if address is None:
        # a run of one's own reports nothing to anybody
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options |= {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": os.cpu_count(),
            "object_store_memory": _OBJECT_STORE_BYTES + 2 * len(workload or b""),
            "logging_level": logging.ERROR,
        }
    else:
        options["address"] = address
    # since 2.60 Ray warns that it will stop overriding this
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _own_signals():
            ray.init(**options)
        yield workload
    except (RayError, ConnectionError) as e:
        hint = ""
        if address is not None:
            hint = (
                f" (is there a cluster at {address}, and does it want RAY_AUTH_MODE=token and the "
                "token of its head node, from `ray get-auth-token`?)"
            )
        raise LiveError(f"Ray: {e}{hint}") from e
    finally:
        # ends the cluster that this process started, or leaves the one that it joined
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray's own ends the process on the spot, nothing kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start_actors(
    setup: Setup, workload: bytes | None, *, full: bool, jitter: int | None
) -> list[Any]:
    """Start one process for each machine, and let them know each other.

    Raises:
        LiveError: a process could not start, or runs other code.
    """
    wiring = setup.wiring
    # an actor that died is not started again: its state is gone, and retries lose Ray's order
    make = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(MachineHost)
    shared = None if workload is None else ray.put(workload)
    driver = own_code()
    actors: list[Any] = []
    for me, role in enumerate(wiring.roles):
        runs_guest = role == "core"
        guest = setup.guest if runs_guest and workload is None else None
        part = Part(me, wiring, setup.settings, guest, full, jitter, driver)
        actors.append(
            make.options(name=wiring.names[me]).remote(part, shared if runs_guest else None)
        )
    for me, reference in enumerate([a.connect.remote(actors) for a in actors]):
        try:
            wrong = ray.get(reference, timeout=_START_S)
        except (RayActorError, RayTaskError, GetTimeoutError) as e:
            raise LiveError(f"the process of {wiring.names[me]} did not start: {e}") from e
        if wrong:
            raise LiveError(
                f"the process of {wiring.names[me]} runs other code than the driver: {wrong}. "
                "Install the same holezero on every node, and nothing that ships these packages."
            )
    return actors


def _end(setup: Setup, driver: Driver, *, quiescent: bool) -> LiveOutcome:
    """Stop the actors, finish the trace, and say how it went."""
    names = setup.wiring.names
    lasts = driver.finish()
    if None in lasts:
        raise _worker_died(setup, driver, lasts.index(None))
    found = {n: last for n, last in zip(names, lasts, strict=True) if last is not None}
    failures = {n: last.status.failed for n, last in found.items() if last.status.failed}
    end = End(
        deliveries=driver.handled,
        digest=combine(last.digest for last in found.values()).hex(),
        verdict="failed" if failures else "",
        complete=quiescent,
        failures=failures,
    )
    if driver.writer is not None:
        driver.writer.finish(end)
    if failures:
        raise MachineRaisedError(failures, driver.writer.path if driver.writer else None)
    return _outcome(end, driver, found)


def _outcome(end: End, driver: Driver, lasts: dict[str, Last]) -> LiveOutcome:
    facts: Counter[str] = Counter()
    for last in lasts.values():
        facts.update(last.facts)
    calls = sum(last.status.calls for last in lasts.values())
    received = sum(last.status.taken_in for last in lasts.values())
    return LiveOutcome(
        deliveries=end.deliveries,
        simulated_ns=0,
        digest=end.digest,
        complete=end.complete,
        waiting=[f"{n}: {w}" for n, last in lasts.items() for w in last.waiting]
        if end.complete
        else [],
        startup_s=0,
        wall_s=0,
        deliveries_per_s=0,
        calls=calls,
        messages_per_call=received / calls if calls else 0,
        polls=driver.polls,
        busy_ns={n: last.busy_ns for n, last in lasts.items() if last.busy_ns},
        facts=dict(facts),
    )


def _worker_died(setup: Setup, driver: Driver, actor: int) -> WorkerDiedError:
    """Take what the others know, and cut the trace to what has its causes in it."""
    name = setup.wiring.names[actor]
    driver.finish()
    if driver.writer is None:
        return WorkerDiedError(name, None, None)
    driver.writer.close()
    file = setup.scenario.workload.file
    path = driver.writer.path
    cut = cut_to_causes(path, f"the process of {name} died", Path(file) if file else None)
    return WorkerDiedError(name, path, cut)
