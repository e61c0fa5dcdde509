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
    Scanned,
    Shoot,
    Signal,
    Spawn,
    StartTransfer,
    Taken,
    Transfer,
    Translation,
    ZeroFrames,
)
from cluster.properties.clock import Clock
from cluster.properties.deadlines import COPIED, FREED, PAGED_OUT, ZEROED
from cluster.properties.judges import call_effects, due, locks, usable
from cluster.properties.known.known import (
    CALLS,
    CELLS,
    FRAMES,
    HISTORIES,
    LINES,
    PLACES,
    RIGHTS,
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
    core, pte, pfn = send.dst, m.pte, pte_bits.pfn_of(m.pte)
    va = known.given.process_of[m.op] << ASID_SHIFT | m.vpn
    translations = known.translations
    if pte & pte_bits.W and translations.cores.get(va, 0) & ~(1 << core):
        due.replaced(known, core, va, pfn, m.op, clock)
    translations.filled(core, va, pte, clock.latest(vm), known.under_way.dead.get(m.op), clock)
    known.frames.filled(core, va, pfn)


def _shoot(known: Known, _vm: int, send: Send, _clock: Clock) -> None:
    known.calls.shooting[send.message.op] = None


def _spawn(known: Known, _core: int, send: Send, _clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Spawn)
    asid = known.given.process_of[m.thread]
    if asid in known.rights.ended:
        known.rights.started(asid, m.op, m.thread)


def _signal(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Signal)
    usable.signalled(known, m, clock.latest(vm))


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
    held, first = known.transfers.held, known.translations.first
    is_due = ZEROED.under(known.given.policy)
    for _, pfn in m.pages:
        if held:
            locks.handed_out(known, pfn, m.op)
        if is_due and pfn in first:
            due.of_frame(known, vm, ZEROED, pfn, m.op, clock)


def _zero_frames(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, ZeroFrames)
    _ordered(known, vm, send, clock)
    first, held = known.translations.first, known.transfers.held
    for pfn, _ in m.frames:
        if held:
            locks.handed_out(known, pfn, m.op)
        if pfn in first and known.given.flushes_first:
            due.of_frame(known, vm, ZEROED, pfn, m.op, clock)


def _copy_frame(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, CopyFrame)
    _ordered(known, vm, send, clock)
    due.of_frame(known, vm, COPIED, m.src, m.op, clock)


def _page_out(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, PageOut)
    _ordered(known, vm, send, clock)
    for pfn in m.pfns:
        due.of_frame(known, vm, PAGED_OUT, pfn, m.op, clock)


def _free(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Free)
    first = known.translations.first
    for pfn in m.pfns:
        if pfn in first:
            due.of_frame(known, vm, FREED, pfn, m.op, clock)
            known.translations.freed(pfn)
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
    call_effects.returned(known, vm, m.op, m.error, clock)


def _scanned(known: Known, _vm: int, send: Send, _clock: Clock) -> None:
    known.calls.scans.pop(send.message.op, None)


def _start_transfer(known: Known, vm: int, send: Send, clock: Clock) -> None:
    m = send.message
    assert isinstance(m, StartTransfer)
    flight = known.calls.in_flight[m.op]
    name = stamp(m.op, known.reports.calls[m.op].index, 0)
    known.transfers.begins(name, flight, m.pfns, known.places)
    call_effects.returned(known, vm, m.op, 0, clock)


def _transfer(known: Known, _core: int, send: Send, _clock: Clock) -> None:
    m = send.message
    assert isinstance(m, Transfer)
    known.transfers.asked(m.name, m.count)


_ANSWERED = CALLS | CELLS | HISTORIES | LINES | PLACES | RIGHTS | TRANSFERS | TRANSLATIONS

#: by message: who judges that it is sent, and a mask of the parts of what is known that he changes
JUDGES: dict[type, tuple[Judge, int]] = {
    Translation: (_translation, FRAMES | TRANSLATIONS),
    Shoot: (_shoot, CALLS),
    Signal: (_signal, 0),
    Spawn: (_spawn, RIGHTS),
    Taken: (_taken, FRAMES | TRANSLATIONS),
    ZeroFrames: (_zero_frames, FRAMES | TRANSLATIONS),
    CopyFrame: (_copy_frame, FRAMES | TRANSLATIONS),
    PageOut: (_page_out, FRAMES | TRANSLATIONS),
    PageIn: (_ordered, FRAMES),
    ReadPage: (_ordered, FRAMES),
    Free: (_free, TRANSFERS | TRANSLATIONS),
    Frame: (_frame, FRAMES),
    Return: (_return, _ANSWERED),
    Scanned: (_scanned, CALLS),
    StartTransfer: (_start_transfer, _ANSWERED),
    Transfer: (_transfer, TRANSFERS),
}
