"""What it means that a machine sends a message."""

from collections.abc import Callable, Iterable
from typing import Any

from actors.machine import Send
from actors.messages import (
    CopyFrame,
    Frame,
    Free,
    PageIn,
    PageOut,
    ReadPage,
    Return,
    Sleep,
    StartTransfer,
    Switched,
    Taken,
    Translation,
    ZeroFrames,
)
from actors.operation import OpState
from cluster.properties import account
from cluster.properties.clock import Clock
from cluster.properties.judges import call_effects
from cluster.properties.known.known import (
    CALLS,
    FRAMES,
    HISTORIES,
    PLACES,
    TRANSFERS,
    TRANSLATIONS,
    Known,
)
from kernel import pte as pte_bits
from kernel.policy.promises import Property
from kernel.stamp import stamp
from kernel.units import ASID_SHIFT

#: (what is known, sender, what it sends, clock of the event)
Judge = Callable[[Known, int, Send, Clock], None]


def _translation(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Translation)
    va = known.given.process_of[m.op] << ASID_SHIFT | m.vpn
    known.translations.filled(send.dst, va, m.pte, clock.latest(vm))
    known.frames.filled(send.dst, va, pte_bits.pfn_of(m.pte))


def _switched(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Switched)
    if not m.keep:
        known.translations.must_flush(send.dst, m.asid, clock.latest(vm))


#: by message of a vm: the frames on which it tells a lane to work
_ORDERS: dict[type, Callable[[Any], Iterable[int]]] = {
    Taken: lambda m: [pfn for _, pfn in m.pages],
    ZeroFrames: lambda m: [pfn for pfn, _ in m.frames],
    CopyFrame: lambda m: (m.src, m.dst),
    PageOut: lambda m: m.pfns,
    PageIn: lambda m: (m.pfn,),
    ReadPage: lambda m: (m.pfn,),
}


def _ordered(known: Known, _vm: int, send: Send, _clock: Clock) -> None:
    m = send.message
    known.frames.ordered(m.op, _ORDERS[m.__class__](m))


def _taken(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Taken)
    _ordered(known, vm, send, clock)
    if not known.given.watches_background:
        return
    for _, pfn in m.pages:
        for holder in known.translations.mapping(pfn, known.vm(vm), clock):
            if holder.writable:
                text = (
                    f"page {holder.vpn:#x} goes to the zeroing thread while "
                    f"{known.given.names[holder.core]} may map it writable"
                )
                known.reports.add(Property.TRANSLATION, text, holder.asid, holder.vpn, (m.op,))


def _page_out(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, PageOut)
    _ordered(known, vm, send, clock)
    account.no_hole_goes_out(known.vm(vm), m, known.reports)


def _sleep(known: Known, _vm: int, send: Send, _clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Sleep)
    if m.why == OpState.LOW_MEMORY:  # it gives up what it holds, and starts over
        known.calls.protected(m.op, None)


def _free(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Free)
    for pfn in m.pfns:
        for holder in known.translations.freed(pfn, known.vm(vm), clock):
            name = known.given.names[holder.core]
            text = f"frame {pfn:#x} is freed while {name} may map it as page {holder.vpn:#x}"
            known.reports.add(Property.TRANSLATION, text, holder.asid, holder.vpn, (m.op,))
        if not known.transfers.freed(pfn, clock):
            text = f"frame {pfn:#x} is freed while a device may use it"
            known.reports.add(Property.TRANSLATION, text, 0, -1, (m.op,))


def _frame(known: Known, _memory: int, send: Send, _clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Frame)
    if not known.frames.handed_out(m.pfn):
        text = f"frame {m.pfn:#x} is handed out twice"
        known.reports.add(Property.ACCOUNT, text, 0, -1, (m.op,))


def _return(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Return)
    known.transfers.given_back(m.op)
    call_effects.returned(known, m.op, m.error, clock.latest(vm))


def _start_transfer(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, StartTransfer)
    known.transfers.begins(m.op, stamp(m.op, known.reports.calls[m.op].index, 0))
    call_effects.returned(known, m.op, 0, clock.latest(vm))


_ANSWERED = CALLS | HISTORIES | PLACES | TRANSFERS

#: by message: who judges that it is sent, and a mask of the parts of what is known that he changes
JUDGES: dict[type, tuple[Judge, int]] = {
    Translation: (_translation, FRAMES | TRANSLATIONS),
    Switched: (_switched, TRANSLATIONS),
    Taken: (_taken, FRAMES),
    ZeroFrames: (_ordered, FRAMES),
    CopyFrame: (_ordered, FRAMES),
    PageOut: (_page_out, FRAMES),
    PageIn: (_ordered, FRAMES),
    ReadPage: (_ordered, FRAMES),
    Sleep: (_sleep, CALLS),
    Free: (_free, TRANSFERS | TRANSLATIONS),
    Frame: (_frame, FRAMES),
    Return: (_return, _ANSWERED),
    StartTransfer: (_start_transfer, _ANSWERED),
}
