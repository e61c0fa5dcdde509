"""Replay a trace: make the recorded run again and compare, up to the first difference.

    result = replay(Path("x.trace"))
    if result.difference is not None:
        print(result.difference.text())

An inline run is run again in simulated time. A live run is directed: each receiver takes what its
log says, as soon as its sender has sent it (`cluster/replay/directed.py`).
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from actors.machine import Machine
from actors.wiring import build
from cluster.hosts.channel import TIMER
from cluster.hosts.host import Listener, Observer
from cluster.hosts.untimed import UntimedRun
from cluster.replay.difference import Difference, DiffersError, Story
from cluster.replay.directed import Directed
from cluster.replay.replay_inline import DeliveryHook, InlineReplay
from cluster.scenario.setup import Setup
from cluster.trace.format import End, Header, config_digest, rebuild
from cluster.trace.reader import TraceReader


class _Ears(msgspec.Struct, frozen=True):
    """Who hears a replay; see `replay`."""

    observers: tuple[Observer, ...]
    listeners: tuple[Listener, ...]
    record: DeliveryHook | None
    progress: Callable[[int], None] | None


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a replay ended."""

    header: Header
    #: the trace's last record; None for a prefix
    end: End | None
    deliveries: int
    #: hexadecimal; of what was replayed
    digest: str
    simulated_ns: int
    #: every delivery was as recorded, to the end of the trace
    same: bool
    difference: Difference | None
    #: what machines raised on their last delivery, by actor (`run` for an inline run)
    failures: dict[str, str]
    #: live prefix: deliveries that the log has beyond what their causes are there for
    left_over: int = 0
    #: what machines wait for at the end, by actor
    waiting: list[str]


def replay(
    source: Path | TraceReader,
    *,
    observers: tuple[Observer, ...] = (),
    listeners: tuple[Listener, ...] = (),
    workload: Path | None = None,
    allow_prefix: bool = False,
    record: DeliveryHook | None = None,
    progress: Callable[[int], None] | None = None,
) -> ReplayResult:
    """Replay a trace up to its end or to the first difference.

    source: a trace file, or a reader (which stays open).
    observers: hear starts, deliveries and facts, as in the run itself; listeners only the facts.
    workload: the guest's file, if the run had one and it is neither shipped nor beside the trace.
    allow_prefix: take a trace without its last record, up to where it goes.
    record: told (dst, digested bytes, whether a timer's) of each delivery before it is handled.
    progress: told the number of deliveries so far, now and then.

    Raises:
        InputError: the trace, or the workload, cannot be used.
    """
    ears = _Ears(observers, listeners, record, progress)
    if isinstance(source, TraceReader):
        return _replay(source, workload, ears)
    with TraceReader(source, allow_prefix=allow_prefix) as reader:
        return _replay(reader, workload, ears)


def _replay(reader: TraceReader, workload: Path | None, ears: _Ears) -> ReplayResult:
    setup = rebuild(reader.header, str(reader.path), workload)
    if reader.header.live:
        return _replay_live(reader, setup, ears)
    return _replay_inline(reader, setup, ears)


def _replay_inline(reader: TraceReader, setup: Setup, ears: _Ears) -> ReplayResult:
    inline = InlineReplay(
        reader,
        setup,
        observers=ears.observers,
        listeners=ears.listeners,
        record=ears.record,
        progress=ears.progress,
    )
    host, difference = inline.host, None
    try:
        inline.run()
        outcome = host.outcome()
        _compare_end(inline.story, reader.end, outcome.digest, inline.failures)
        if reader.end is not None and reader.end.complete and not outcome.complete:
            raise inline.story.difference(
                recorded="nothing in flight at the end", replayed="messages in flight"
            )
    except DiffersError as e:
        difference = _with_configuration(e.difference, reader.header, setup)
    outcome = host.outcome()
    return ReplayResult(
        header=reader.header,
        end=reader.end,
        deliveries=max(outcome.deliveries, inline.story.deliveries),
        digest=outcome.digest,
        simulated_ns=outcome.simulated_ns,
        same=difference is None,
        difference=difference,
        failures=inline.failures,
        waiting=outcome.waiting,
    )


def _replay_live(reader: TraceReader, setup: Setup, ears: _Ears) -> ReplayResult:
    story, hook = Story(reader.header), ears.record
    machines = build(setup.wiring, setup.settings, setup.guest)
    run = UntimedRun(
        machines,
        observers=(story, *ears.observers),
        listeners=ears.listeners,
        record=None if hook is None else lambda c, data: hook(c[0], data, c[1] == TIMER),
    )
    difference = None
    directed = Directed(run, story, reader.path)
    try:
        run.start()
        for each in reader:
            directed.expect(each)
            directed.advance()
            if ears.progress is not None:
                ears.progress(run.deliveries)
        if reader.end is not None and directed.stuck():
            raise directed.why_stuck()
        _compare_end(story, reader.end, run.digest.combined().hex(), directed.failures)
        if reader.end is not None and reader.end.complete and len(run.mailboxes):
            raise story.difference(
                recorded="nothing in flight at the end",
                replayed=f"messages in {len(run.mailboxes)} channels",
            )
    except DiffersError as e:
        difference = _with_configuration(e.difference, reader.header, setup)
    return ReplayResult(
        header=reader.header,
        end=reader.end,
        deliveries=run.deliveries,
        digest=run.digest.combined().hex(),
        simulated_ns=0,
        same=difference is None,
        difference=difference,
        failures=directed.failures,
        left_over=directed.left_over(),
        waiting=[] if len(run.mailboxes) else _waiting(reader.header, machines),
    )


def _compare_end(story: Story, end: End | None, digest: str, failures: dict[str, str]) -> None:
    """Compare with the last record; a prefix has none."""
    if end is None:
        return
    if failures != end.failures:
        raise story.difference(recorded=_failures(end.failures), replayed=_failures(failures))
    if digest != end.digest:
        raise story.difference(
            recorded=f"digest {end.digest} of the whole run",
            replayed=f"digest {digest}: a delivery since the last checkpoint is another",
        )


def _failures(failures: dict[str, str]) -> str:
    return "; ".join(f"{name}: {text}" for name, text in failures.items()) or "no machine fails"


def _with_configuration(difference: Difference, header: Header, setup: Setup) -> Difference:
    """Say so when the scenario no longer means the same to this holezero."""
    if config_digest(setup) == header.config_digest:
        return difference
    hint = f"{difference.replayed} (this holezero reads the scenario otherwise than the recorder)"
    return msgspec.structs.replace(difference, replayed=hint)


def _waiting(header: Header, machines: list[Machine]) -> list[str]:
    return [
        f"{name}: {what}"
        for name, machine in zip(header.actors, machines, strict=True)
        for what in machine.waiting()
    ]
