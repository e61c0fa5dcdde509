"""What it means that a machine states a fact."""

from collections.abc import Callable
from typing import Any

from actors.facts import (
    CoresCaughtUp,
    EntriesGone,
    Flushed,
    Granted,
    HoleSettled,
    PagePinned,
    Touched,
    TransferEnded,
)
from cluster.properties.clock import Clock
from cluster.properties.judges import call_effects
from cluster.properties.judges.stale import stale_entry
from cluster.properties.known.known import CELLS, HISTORIES, TRANSFERS, TRANSLATIONS, Known

#: (what is known, who states it, the fact, clock of the event)
Judge = Callable[[Known, int, Any, Clock], None]


def _touched(known: Known, core: int, fact: Touched, clock: Clock) -> None:
    if fact.write:
        known.cells.execute(core, fact.first, clock)


def _page_pinned(known: Known, _vm: int, fact: PagePinned, clock: Clock) -> None:
    known.transfers.pinned(fact.op, fact.asid, fact.vpn, fact.pfn, clock)


def _transfer_ended(known: Known, device: int, fact: TransferEnded, clock: Clock) -> None:
    known.transfers.ended(fact.name, clock.latest(device))


def _flushed(known: Known, core: int, fact: Flushed, clock: Clock) -> None:
    known.translations.flushed(core, fact.asid, fact.vpns, clock)


def _entries_gone(known: Known, _vm: int, fact: EntriesGone, _clock: Clock) -> None:
    known.translations.gone(fact.op, fact.asid, fact.vpns)


def _cores_caught_up(known: Known, vm: int, fact: CoresCaughtUp, clock: Clock) -> None:
    known.translations.gone(fact.op, fact.asid, fact.vpns)
    for holder in known.translations.completed(fact.op, known.vm(vm), clock, set()):
        stale_entry(known, fact.op, holder)


def _hole_settled(known: Known, vm: int, fact: HoleSettled, clock: Clock) -> None:
    call_effects.settled(known, fact.asid, fact.start, fact.end, clock.latest(vm))


def _granted(known: Known, vm: int, fact: Granted, clock: Clock) -> None:
    pages = fact.start, fact.end
    call_effects.granted(known, fact.op, fact.asid, pages, clock.latest(vm))


#: by fact: who judges it, and a mask of the parts of what is known that he changes
JUDGES: dict[type, tuple[Judge, int]] = {
    Touched: (_touched, CELLS),
    Flushed: (_flushed, TRANSLATIONS),
    EntriesGone: (_entries_gone, TRANSLATIONS),
    HoleSettled: (_hole_settled, HISTORIES),
    Granted: (_granted, HISTORIES),
    CoresCaughtUp: (_cores_caught_up, TRANSLATIONS),
    PagePinned: (_page_pinned, TRANSFERS),
    TransferEnded: (_transfer_ended, TRANSFERS),
}
