"""Invalidations left to other cores: who still has to do which.

A shootdown that another operation makes of the same entries does them as well (`made`).

Owns the notes of what is left to whom, numbered in the order in which they came. Touches nothing
else: what follows when all cores have invalidated is told to the operation that caught up
(`operations/flushes/deferral.py`).
"""

from collections.abc import Hashable
from typing import Self

import msgspec

from kernel.units import ASID_SHIFT, VPN_MASK


class Deferral(msgspec.Struct, frozen=True, gc=False):
    """An invalidation left to other cores: entries taken away, and (asid, cores that it awaits)."""

    gone: tuple[tuple[int, int], ...]
    awaiting: tuple[tuple[int, int], ...]


class Deferrals:
    """Notes by number; those of a core are over in ascending order."""

    __slots__ = ("last", "notes")

    def __init__(self) -> None:
        """Begin with none."""
        self.notes: dict[int, Deferral] = {}
        self.last = 0

    def clone(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.notes = self.notes.copy()
        twin.last = self.last
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.notes.items()), self.last

    def leave(self, note: Deferral) -> int:
        """Note what is left to whom; return the note's number."""
        self.last += 1
        self.notes[self.last] = note
        return self.last

    def missed(self, core: int, asid: int) -> tuple[int, tuple[int, ...]]:
        """Return the last note that awaits a core (0: none), and the pages it must invalidate."""
        upto, vpns = 0, dict[int, None]()
        for number, one in self.notes.items():
            if any(space == asid and mask >> core & 1 for space, mask in one.awaiting):
                upto = number
                vpns.update((va & VPN_MASK, None) for va, _ in one.gone if va >> ASID_SHIFT == asid)
        return upto, tuple(vpns)

    def caught_up(self, cores: int, asid: int, upto: int) -> list[int]:
        """Note that cores (a mask) hold nothing of what was taken away up to a note.

        Return the notes that await nobody any more; they stay until `settle`.
        """
        over = []
        for number, one in self.notes.items():
            if number > upto:
                break
            left = tuple(
                (space, mask & ~cores if space == asid else mask) for space, mask in one.awaiting
            )
            self.notes[number] = Deferral(one.gone, left)
            if not any(mask for _, mask in left):
                over.append(number)
        return over

    def made(self, entries: tuple[tuple[int, int], ...], upto: int) -> tuple[tuple[int, int], ...]:
        """Note that no TLB holds these entries, as they were left up to a note; return those."""
        known, done = set(entries), []
        for number, one in self.notes.items():
            if number > upto or known.isdisjoint(one.gone):
                continue
            done += [entry for entry in one.gone if entry in known]
            left = tuple(entry for entry in one.gone if entry not in known)
            self.notes[number] = Deferral(left, one.awaiting)
        return tuple(done)

    def settle(self, number: int) -> Deferral:
        """Take a note away that awaits nobody."""
        return self.notes.pop(number)

    def late(self, upto: int) -> tuple[int, int]:
        """Return the first space that cores are late for, up to a note, and those cores (a mask).

        -1 if nobody is late.
        """
        masks: dict[int, int] = {}
        for number, one in self.notes.items():
            if number <= upto:
                for asid, mask in one.awaiting:
                    masks[asid] = masks.get(asid, 0) | mask
        return next(((asid, mask) for asid, mask in masks.items() if mask), (-1, 0))

    def owed_to(self, asid: int, upto: int) -> tuple[int, ...]:
        """Return where in a space entries were taken away up to a note, each place once."""
        gone = {
            va: None
            for number, note in self.notes.items()
            if number <= upto
            for va, _ in note.gone
            if va >> ASID_SHIFT == asid
        }
        return tuple(gone)

    def awaited(self, asid: int) -> dict[int, int]:
        """Return, for each entry taken away, the cores (a mask) that may still have it."""
        found: dict[int, int] = {}
        for one in self.notes.values():
            mask = next((mask for space, mask in one.awaiting if space == asid), 0)
            for va, _ in one.gone:
                found[va] = found.get(va, 0) | mask
        return found
