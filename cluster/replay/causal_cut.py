"""Cut a live trace whose tail is lost to the largest prefix that can be replayed.

A message whose sender's log was lost has no cause in the trace; neither has what came of it. What
is left is closed under causes: every delivery in it can be made again. The cut trace is complete
in itself and replays like any other.
"""

import os
from pathlib import Path

import msgspec

from actors.wiring import build
from cluster.hosts.channel import Channel
from cluster.hosts.untimed import UntimedRun
from cluster.input_error import InputError
from cluster.replay.difference import DiffersError, Story
from cluster.replay.directed import Directed
from cluster.trace.format import BLOCK_BYTES, End, rebuild
from cluster.trace.reader import TraceReader
from cluster.trace.receiver_log import ReceiverLog
from cluster.trace.writer import TraceWriter


class Cut(msgspec.Struct, frozen=True):
    """What a cut kept and lost."""

    kept: int
    #: deliveries in the logs whose causes are lost
    dropped: int
    digest: str


def cut_to_causes(path: Path, verdict: str, workload: Path | None = None) -> Cut:
    """Replace a live trace without its last record by its causally closed prefix.

    Raises:
        InputError: the trace cannot be used, or does not replay as far as its causes go.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            TraceReader(path, allow_prefix=True) as reader,
            TraceWriter(part, reader.header) as writer,
        ):
            cut = _copy_what_replays(reader, writer, verdict, workload)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return cut


def _copy_what_replays(
    reader: TraceReader, writer: TraceWriter, verdict: str, workload: Path | None
) -> Cut:
    setup = rebuild(reader.header, str(reader.path), workload)
    story = Story(reader.header)
    full = reader.header.kind == "full"
    logs = [ReceiverLog(dst, full=full) for dst in range(len(reader.header.actors))]

    def keep(channel: Channel, data: bytes) -> None:
        dst, src, lane = channel
        log = logs[dst]
        if log.add(src, lane, data):
            log.checkpoint(run.digest.receiver(dst))
        if log.size >= BLOCK_BYTES:
            writer.append(log.take())

    machines = build(setup.wiring, setup.settings, setup.guest)
    run = UntimedRun(machines, observers=(story,), record=keep)
    directed = Directed(run, story, reader.path)
    run.start()
    try:
        for record in reader:
            directed.expect(record)
            directed.advance()
    except DiffersError as e:
        raise InputError(f"{reader.path}: does not replay: {e.difference.text()}") from e
    for dst, log in enumerate(logs):
        log.checkpoint(run.digest.receiver(dst))
        writer.append(log.take())
    digest = run.digest.combined().hex()
    end = End(
        deliveries=run.deliveries,
        digest=digest,
        verdict=verdict,
        complete=False,
        cut=True,
        failures=directed.failures,
    )
    writer.finish(end)
    return Cut(run.deliveries, directed.left_over(), digest)
