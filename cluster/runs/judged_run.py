"""One run, judged and kept: a setup goes through a host, out come a summary and a run directory.

The engines are in `inline_run` and `cluster.live`; what is the same for all of them (folder,
verdict, figures) is here.
"""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from cluster.hosts.host import Outcome
from cluster.properties.violation import Violation
from cluster.results import summary
from cluster.results.meter import Results
from cluster.results.summary import Summary, Verdict, verdict_of
from cluster.runs import manifest
from cluster.runs.run_directory import (
    LOG,
    MANIFEST,
    SUMMARY,
    TRACE,
    make_run_directory,
    point_latest,
    write_atomically,
)
from cluster.runs.run_failed import RunFailedError
from cluster.runs.run_log import RunLog
from cluster.scenario.setup import Setup, policy_changes
from cluster.workload.reader import Workload

#: called now and then during a run with (deliveries, simulated ns, results so far)
Watch = Callable[[int, int, Results], None]

INLINE: Literal["inline"] = "inline"
RAY_FREE: Literal["ray-free"] = "ray-free"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run; the same for every preset of a comparison."""

    engine: Literal["inline", "ray-free"] = "inline"
    trace: Literal["full", "order", "off"] = "order"
    check: bool = True
    #: stop after so many deliveries
    limit_ops: int | None = None
    #: folder of the run; None: a new one under `runs/`
    out: Path | None = None
    #: the command line as typed, for the manifest
    command: Sequence[str] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One run to be made."""

    name: str
    setup: Setup
    options: Options
    watches: tuple[Watch, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where a run is kept."""

    directory: Path
    log: RunLog

    @property
    def trace(self) -> Path:
        """Return the path of the trace."""
        return self.directory / TRACE


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine returns."""

    outcome: Outcome
    results: Results
    wall_s: float
    #: None: not checked
    violations: list[Violation] | None
    not_promised: dict[str, int]
    #: number of the signal that ended the run, or 0
    signal: int = 0
    host: dict[str, Any] = {}


Engine = Callable[[Request, Place], Ran]


class Finished(msgspec.Struct, frozen=True):
    """A run that is over."""

    summary: Summary
    directory: Path
    signal: int


def judge(request: Request, engine: Engine, expected: tuple[type[Exception], ...]) -> Finished:
    """Make a run and keep it.

    expected: errors that say enough by themselves; they are logged and raised as they are.

    Raises:
        InputError: the run directory cannot be written.
        RunFailedError: anything unexpected; manifest, log and the trace so far are kept.
    """
    directory = make_run_directory(request.name, request.setup.preset, request.options.out)
    write_atomically(directory / MANIFEST, manifest.encode(_manifest(request)))
    point_latest(directory)
    log = RunLog(directory / LOG)
    options = request.options
    try:
        log.info("run starts", name=request.name, preset=request.setup.preset, options=options)
        ran = engine(request, Place(directory, log))
        found = _summary(request, ran, directory)
        write_atomically(directory / SUMMARY, summary.encode(found))
        log.info(
            "run ends",
            verdict=found.verdict,
            deliveries=found.deliveries,
            complete=found.complete,
            wall_s=found.wall_s,
        )
        for violation in found.violations:
            log.info("violation", **violation)
    except expected as e:
        log.failed("run ended by an error", e)
        raise
    except Exception as e:
        log.failed("run failed", e)
        raise RunFailedError(directory, log.path, e) from e
    finally:
        log.close()
    return Finished(found, directory, ran.signal)


def _manifest(request: Request) -> manifest.Manifest:
    setup, options = request.setup, request.options
    return manifest.Manifest(
        name=request.name,
        engine=options.engine,
        preset=setup.preset,
        seed=setup.scenario.run.seed,
        limit_ops=options.limit_ops,
        trace=options.trace,
        check=options.check,
        workload_digest=setup.guest.digest.hex(),
        command=list(options.command),
        versions=manifest.versions(),
        platform=platform.platform(),
        scenario=manifest.resolved(setup),
        profile=setup.profile,
    )


def _summary(request: Request, ran: Ran, directory: Path) -> Summary:
    outcome, guest = ran.outcome, request.setup.guest
    metrics = ran.results.metrics()
    meta = guest.meta if isinstance(guest, Workload) else None
    wall_s = max(ran.wall_s, 1e-9)
    verdict = verdict_of(ran.violations)
    # whatever else waits at the end of a run that was checked is a broken promise
    held = verdict is Verdict.HELD
    in_vain = [what.partition(": ")[2] for what in outcome.waiting] if held else []
    return Summary(
        scenario=request.name,
        preset=request.setup.preset,
        engine=request.options.engine,
        seed=request.setup.scenario.run.seed,
        policy_changes=policy_changes(request.setup),
        machine=msgspec.to_builtins(request.setup.scenario.machine),
        workload=_workload(request.setup),
        assumptions=list(meta.assumptions) if meta else [],
        verdict=Verdict.WAITS if in_vain else verdict,
        violations=[msgspec.to_builtins(v) for v in ran.violations or ()],
        not_promised=ran.not_promised,
        waits_in_vain=in_vain,
        complete=outcome.complete,
        interrupted=bool(ran.signal),
        deliveries=outcome.deliveries,
        digest=outcome.digest,
        simulated_ns=outcome.simulated_ns if ran.results.timed else None,
        wall_s=round(ran.wall_s, 3),
        deliveries_per_s=round(outcome.deliveries / wall_s),
        touches_per_s=round(sum(metrics["touches"].values()) / wall_s),
        metrics=metrics,
        left_out=meta.left_out if meta else {},
        approximated=meta.approximated if meta else {},
        host=ran.host,
        directory=str(directory),
    )


def _workload(setup: Setup) -> dict[str, str]:
    table = setup.scenario.workload
    if not table.file:
        return {}
    return {"file": Path(table.file).name, "timing": table.timing, "mapping": table.mapping}
