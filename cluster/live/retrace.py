"""Record kept traces anew, after the machines have changed on purpose."""

import os
import sys
from pathlib import Path

from actors.wiring import build
from cluster.inline import InlineHost
from cluster.live.launch import run_live
from cluster.replay import replay
from cluster.setup import Setup
from cluster.trace import end_of, header_of, rebuild
from cluster.trace_reader import TraceReader
from cluster.trace_writer import TraceWriter


def retrace(path: Path, workload: Path | None = None) -> bool:
    """Run what a trace was recorded from again, of whatever model, unless it still replays.

    A live run is recorded on a cluster of its own; its order will be another. Gives whether the
    file was written.

    Raises:
        InputError: the trace can not be read, or its scenario can not be run any more.
        LiveError: there is no cluster to be had, or the run failed.
    """
    with TraceReader(path, any_model=True) as reader:
        header = reader.header
        if reader.same_model and replay(reader, workload=workload).same:
            return False
    setup = rebuild(header, str(path), workload)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if header.live:
            run_live(setup, out=part, kind=header.kind)
        else:
            _run_inline(setup, part, header.kind)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True


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


if __name__ == "__main__":
    for name in sys.argv[1:]:
        changed = retrace(Path(name))
        sys.stdout.write(f"{name}: {'recorded anew' if changed else 'still replays'}\n")
