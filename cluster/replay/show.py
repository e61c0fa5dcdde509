"""Print a trace, one line a delivery: time, sender > receiver, operation, message.

A full trace is printed from its records. One of orders only holds no messages: it is replayed, and
printed as far as it replays. Both stream; what is kept in memory does not grow with the trace.
"""

from pathlib import Path
from typing import TextIO

import msgspec

from actors.message import Message
from actors.messages import Call, Load, Store
from cluster.input_error import InputError
from cluster.replay.difference import Difference
from cluster.replay.replaying import replay
from cluster.trace.format import Delivery, Header, TimerDelivery
from cluster.trace.reader import TraceReader
from cluster.trace.text import decode_delivery, delivery_line
from kernel.units import CELL_SHIFT, page_span


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to print: those that every given condition holds for."""

    #: name of the sender or the receiver
    actor: str | None = None
    #: operation: number or name of a guest thread, or name of a kernel thread
    operation: str | None = None
    #: virtual page number that the message mentions
    page: int | None = None
    #: simulated time of arrival in ns, from inclusive, to exclusive; no live run has any
    from_ns: int | None = None
    to_ns: int | None = None


def mentions(message: Message, vpn: int) -> bool:
    """Say whether a message is about a virtual page.

    Messages that name pages by their object (`keys`), or frames only, mention none.
    """
    if isinstance(message, Load | Store):
        return any(item[0] >> CELL_SHIFT == vpn for item in message.items)
    if isinstance(message, Call):
        start, end = page_span(message.va, message.length)
        return start <= vpn < end
    return getattr(message, "vpn", None) == vpn or vpn in getattr(message, "vpns", ())


class _Printer:
    """Prints the deliveries that pass the filter."""

    def __init__(self, header: Header, chosen: Filter, out: TextIO) -> None:
        self.header = header
        self.out = out
        self.actor = None if chosen.actor is None else header.actor_named(chosen.actor)
        self.lane = None if chosen.operation is None else header.lane_named(chosen.operation)
        self.page = chosen.page
        self.from_ns = chosen.from_ns
        self.to_ns = chosen.to_ns
        if header.live and (self.from_ns is not None or self.to_ns is not None):
            raise InputError("this trace has no simulated time: leave the time range out")

    def delivery(self, dst: int, data: bytes, timer: bool) -> None:  # noqa: FBT001 - DeliveryHook
        """Print one, if it passes."""
        src, _, arrival, message = decode_delivery(data)
        if self.actor is not None and self.actor not in (src, dst):
            return
        if self.lane is not None and message.op != self.lane:
            return
        if self.from_ns is not None and arrival < self.from_ns:
            return
        if self.to_ns is not None and arrival >= self.to_ns:
            return
        if self.page is not None and not mentions(message, self.page):
            return
        line = delivery_line(self.header, arrival, dst, src, message, timer=timer)
        self.out.write(line + "\n")


def show(
    path: Path,
    out: TextIO,
    chosen: Filter | None = None,
    *,
    workload: Path | None = None,
    allow_prefix: bool = False,
) -> Difference | None:
    """Print a trace to `out`.

    Gives the difference at which a replay, needed for a trace of orders, had to stop; else None.

    Raises:
        InputError: the trace cannot be used, or the filter names what it has not.
    """
    with TraceReader(path, allow_prefix=allow_prefix) as reader:
        printer = _Printer(reader.header, chosen or Filter(), out)
        if reader.header.kind != "full":
            return replay(reader, workload=workload, record=printer.delivery).difference
        for record in reader:
            if isinstance(record, Delivery | TimerDelivery):
                try:
                    printer.delivery(record.dst, record.data, isinstance(record, TimerDelivery))
                except msgspec.MsgspecError as e:
                    raise InputError(f"{path}: damaged: a message that is none: {e}.") from e
    return None
