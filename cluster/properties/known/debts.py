"""What cores owe: entries that they must have lost by a moment that is to come."""

from collections.abc import Iterable

import msgspec

from cluster.properties.clock import At, Clock
from cluster.properties.known.fill import Fill
from kernel.units import ASID_SHIFT


class Owed(msgspec.Struct, frozen=True, gc=False):
    """Entries of a page that a core must have lost by a moment that is to come."""

    #: the deadline that is in question, and whose
    deadline: str
    lane: int
    #: the events that sent them
    sent: tuple[At, ...]
    #: None: by the time it loads the root. Else by its next occasion that knows of this event
    left: At | None

    def is_due(self, told: Clock | None) -> bool:
        """Say whether that moment is now: the root is loaded, or (told) there is an occasion."""
        if self.left is None:
            return told is None
        return told is not None and told.knows(self.left)


class Debts:
    """By core and page (`asid << ASID_SHIFT | vpn`)."""

    __slots__ = ("of",)

    def __init__(self, of: dict[int, dict[int, Owed]]) -> None:
        """Begin with these."""
        self.of = of

    def add(self, core: int, va: int, fills: Iterable[Fill], owed: Owed) -> None:
        """Note what a core owes of a page; due at the first deadline is due, whatever follows."""
        sent = {one.sent: None for one in fills}
        pages = self.of.setdefault(core, {})
        before = pages.get(va)
        if before is None:
            pages[va] = msgspec.structs.replace(owed, sent=tuple(sent))
            return
        left = None if before.left is None else owed.left
        sent = dict.fromkeys((*before.sent, *sent))
        pages[va] = Owed(before.deadline, before.lane, tuple(sent), left)

    def call_in(self, core: int, asid: int, told: Clock | None) -> list[tuple[int, Owed]]:
        """Take what is due of a core now, of an address space: (page, what)."""
        pages = self.of.get(core)
        if not pages:
            return []
        found = [
            (va, owed)
            for va, owed in pages.items()
            if va >> ASID_SHIFT == asid and owed.is_due(told)
        ]
        for va, _ in found:
            del pages[va]
        if not pages:
            del self.of[core]
        return found

    def debtors(self, va: int) -> int:
        """Return the cores that owe something of a page, as a mask."""
        found = 0
        for core, pages in self.of.items():
            if va in pages:
                found |= 1 << core
        return found

    def copy(self) -> "Debts":
        """Copy the containers."""
        return Debts({core: pages.copy() for core, pages in self.of.items()} if self.of else {})
