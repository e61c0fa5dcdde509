"""Record kept traces anew after the machines have changed on purpose."""

import os
import sys
from pathlib import Path

import msgspec

from actors.wiring import build
from cluster.explore.choices import Chosen, Strategy
from cluster.explore.found.shrink import shrink
from cluster.explore.found.witness import EXPLORED, VIOLATED, write_witness
from cluster.explore.search import explore
from cluster.hosts.inline import InlineHost
from cluster.input_error import InputError
from cluster.live.launch import run_live
from cluster.replay.replaying import replay
from cluster.runs.judged_run import INLINE
from cluster.scenario.scenario import Scenario
from cluster.scenario.setup import Setup, prepare
from cluster.trace.format import end_of, find_workload, header_of
from cluster.trace.reader import TraceReader
from cluster.trace.writer import TraceWriter


class _Origin(msgspec.Struct, frozen=True):
    """What a header says about the run, whatever else is in headers of its model."""

    engine: str
    kind: str
    scenario: Scenario


class _OriginReader(TraceReader):
    """Reads only so much of a trace, of whatever model."""

    origin: _Origin

    def _take_header(self, raw: bytes) -> None:
        self.origin = msgspec.msgpack.decode(raw, type=_Origin)


def retrace(path: Path) -> bool:
    """Record the run of a trace, of whatever model, anew unless it still replays.

    A live run is made again on a cluster of its own, and will have another order. An explored order
    is searched for anew. The cost profile is the one that the scenario names. Returns whether the
    file was written.

    Raises:
        InputError: the trace cannot be read, or its scenario can no longer be run.
        LiveError: no cluster could be started, or the run failed.
    """
    with _OriginReader(path) as reader:
        origin = reader.origin
        verdict = "" if reader.end is None else reader.end.verdict
    if _still_replays(path):
        return False
    scenario = origin.scenario
    file = scenario.workload.file
    guest = find_workload(file, str(path), None) if file else None
    setup = prepare(scenario, str(path), guest)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if origin.engine == INLINE:
            _run_inline(setup, part, origin.kind)
        elif origin.engine == EXPLORED:
            _explore(setup, part, verdict, path)
        else:
            run_live(setup, out=part, kind=origin.kind)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True


def _still_replays(path: Path) -> bool:
    try:
        with TraceReader(path) as reader:
            return replay(reader).same
    except InputError:
        return False


def _run_inline(setup: Setup, path: Path, kind: str) -> None:
    with TraceWriter(path, header_of(setup, kind=kind)) as trace:
        host = InlineHost(
            setup.wiring,
            build(setup.wiring, setup.settings, setup.guest),
            setup.latency(),
            record=trace.record if kind == "full" else None,
        )
        host.start()
        while not trace.run(host):
            pass
        trace.finish(end_of(host.outcome()))


def _explore(setup: Setup, part: Path, verdict: str, path: Path) -> None:
    """Find an order that breaks the same promise; shrink and write it."""
    promise = verdict.removeprefix(VIOLATED)
    for chosen in (
        Chosen(strategy=Strategy.BFS, budget=100_000, wanted=promise),
        Chosen(strategy=Strategy.PCT, depth=5, budget=3_000, wanted=promise),
    ):
        for finding in explore(setup, chosen).found:
            if finding.property == promise:
                shrunk = shrink(setup, finding.path)
                write_witness(part, shrunk.setup, shrunk.path, VIOLATED + promise)
                return
    raise InputError(f"{path}: no order was found that breaks {promise} as it does")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        changed = retrace(Path(name))
        sys.stdout.write(f"{name}: {'recorded anew' if changed else 'still replays'}\n")
