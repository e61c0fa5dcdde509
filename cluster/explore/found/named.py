"""Orders by name: what is delivered next, in terms that also hold for a simpler scenario."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from actors.lanes import lane_named
from cluster.explore.found.witness import VIOLATED
from cluster.explore.strategy_api import Broken
from cluster.explore.walk import Walk, Walks
from cluster.hosts.channel import TIMER, Channel
from cluster.input_error import InputError
from cluster.replay.replaying import replay
from cluster.scenario.setup import Setup
from cluster.trace.format import rebuild
from cluster.trace.reader import TraceReader
from cluster.trace.text import decode_delivery
from kernel.policy.promises import Property

#: stands for the sender of a receiver's own timers
TIMERS = "timer"


class Named(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A channel: receiver, sender (or `timer`) and operation, as the setup names them."""

    receiver: str
    sender: str
    operation: str


def named(setup: Setup, path: Iterable[Channel]) -> tuple[Named, ...]:
    """Return the names of the channels of a path."""
    actors = setup.wiring.names
    return tuple(
        Named(actors[dst], TIMERS if src == TIMER else actors[src], setup.lane_name(lane))
        for dst, src, lane in path
    )


def channels(setup: Setup, path: Iterable[Named]) -> tuple[Channel, ...]:
    """Return the channels of a path in a setup, without those that it lacks."""
    actors = {name: i for i, name in enumerate(setup.wiring.names)}
    threads = setup.thread_names
    found = []
    for one in path:
        dst, lane = actors.get(one.receiver), lane_named(one.operation, threads, setup.wiring.names)
        src = TIMER if one.sender == TIMERS else actors.get(one.sender)
        if dst is not None and src is not None and lane is not None:
            found.append((dst, src, lane))
    return tuple(found)


def along(walks: Walks, path: Iterable[Channel], *, to_rest: bool) -> tuple[Walk, Broken]:
    """Deliver along a path, skipping what is not in flight.

    to_rest: then go on, oldest message first, until nothing is in flight or a promise breaks.
    Returns the walk and what was actually delivered; the promise is empty if none broke.
    """
    walk, taken = walks(), []
    promise = ""
    for channel in path:
        if channel in walk.mailboxes:
            taken.append(channel)
            walk.deliver(channel)
            if promise := walk.broken():
                return walk, Broken(promise, tuple(taken))
    while to_rest and len(walk.mailboxes) and len(taken) < _TOO_LONG:
        channel = next(iter(walk.mailboxes))
        taken.append(channel)
        walk.deliver(channel)
        if promise := walk.broken():
            return walk, Broken(promise, tuple(taken))
    if not len(walk.mailboxes):
        promise = walk.ended()
    return walk, Broken(promise, tuple(taken))


#: deliveries after which a run is given up
_TOO_LONG = 50_000


class Recorded(msgspec.Struct, frozen=True):
    """A trace as an order to start from."""

    setup: Setup
    path: tuple[Channel, ...]
    #: empty if the trace is cut short
    verdict: str


def _judged(setup: Setup, verdict: str) -> Setup:
    """Have it judged as it was: perhaps as if the policy promised more."""
    promise = verdict.removeprefix(VIOLATED)
    if promise not in set(Property):
        return setup
    return msgspec.structs.replace(setup, also_promised=frozenset({Property(promise)}))


def read_order(path: Path, workload: Path | None = None) -> Recorded:
    """Read the order of a trace, whichever host recorded it.

    Raises:
        InputError: it cannot be read, or no longer replays.
    """
    taken: list[Channel] = []
    with TraceReader(path, allow_prefix=True) as reader:
        verdict = "" if reader.end is None else reader.end.verdict
        setup = _judged(rebuild(reader.header, str(path), workload), verdict)
        walk = Walks(setup)()

        def record(dst: int, data: bytes, timer: bool) -> None:  # noqa: FBT001 - DeliveryHook
            src, seq, _, message = decode_delivery(data)
            channel = (dst, TIMER if timer else src, message.op)
            if walk.mailboxes.oldest(channel) != seq:  # an inline trace does not mark timers
                channel = (dst, TIMER, message.op)
            taken.append(channel)
            walk.deliver(channel)

        result = replay(reader, workload=workload, record=record)
        if result.difference is not None:
            raise InputError(f"{path}: does not replay: {result.difference.text()}")
    return Recorded(setup, tuple(taken), verdict)
