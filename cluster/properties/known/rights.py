"""What each process may do where, by what its system calls said: rights, locks, its end."""

from collections.abc import Callable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At
from cluster.properties.known.timelines import READ, WRITE, Timelines
from kernel.intervals import IntervalMap


class Lock(msgspec.Struct, frozen=True, gc=False):
    """Memory that is locked, or may be."""

    certain: bool


class Rights(Part):
    """Protections, guards and locks by page, and processes that have ended."""

    __slots__ = ("ended", "guards", "locks", "protections")

    def __init__(self, processes: int) -> None:
        """Begin with nothing mapped."""
        super().__init__()
        #: of mappings: nothing, at first
        self.protections = Timelines(processes, 0)
        #: over what is mapped (MADV_GUARD_INSTALL): none, at first
        self.guards = Timelines(processes, READ | WRITE)
        self.locks: list[IntervalMap[Lock]] = [IntervalMap() for _ in range(processes)]
        #: by address space: the event in which it ended, and the threads that are not of those that
        #: ended with it: the one that called execve, and what it has started since
        self.ended: dict[int, tuple[At, tuple[int, ...]]] = {}

    def fork(self, parent: int, child: int) -> None:
        """Give a child what its parent may do, and no lock."""
        self.protections.fork(parent, child)
        self.guards.fork(parent, child)
        self.locks[child] = IntervalMap()

    def size(self) -> int:
        """Count the ranges."""
        return sum(map(len, self.protections.of)) + sum(map(len, self.guards.of))

    def forget(self, known_to_all: Callable[[int], int]) -> None:
        """Forget what is as at first, where everybody knows that.

        known_to_all: gives, for an address space, the latest event of its vm that all know of.
        """
        self.protections.forget(known_to_all)
        self.guards.forget(known_to_all)

    def started(self, asid: int, by: int, thread: int) -> None:
        """Note that a thread starts another one."""
        at, go_on = self.ended[asid]
        if by in go_on and thread not in go_on:
            self.ended[asid] = at, (*go_on, thread)

    def allows(self, asid: int, vpn: int, need: int, known: int, until: int) -> bool | None:
        """Say whether an access is allowed, or None if that is not certain: see `Timelines`."""
        mapped = self.protections.allows(asid, vpn, need, known, until)
        if mapped is False or not len(self.guards.of[asid]):
            return mapped
        free = self.guards.allows(asid, vpn, need, known, until)
        return False if free is False else mapped and free

    # Locks.

    def lock(self, asid: int, start: int, end: int, *, certain: bool) -> None:
        """Note that memory is locked, or may be."""
        self.locks[asid].assign(start, end, Lock(certain))

    def unlock(self, asid: int, start: int, end: int) -> None:
        """Note that memory is locked no more."""
        self.locks[asid].remove(start, end)

    def doubt_locks(self, asid: int, start: int, end: int) -> None:
        """Note that a call arrived which may take locks away."""
        for low, high, _ in list(self.locks[asid].pieces(start, end)):
            self.locks[asid].assign(low, high, Lock(certain=False))

    def locked(self, asid: int, start: int, end: int) -> list[tuple[int, int, bool]]:
        """List the parts of a range that are locked: (first page, end, whether it is certain)."""
        return [(low, high, one.certain) for low, high, one in self.locks[asid].pieces(start, end)]

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.protections, twin.guards = self.protections.copy(), self.guards.copy()
        twin.locks = [one.copy() for one in self.locks]
        twin.ended = self.ended.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            self.protections.rows(),
            self.guards.rows(),
            tuple(
                tuple((low, high, lock.certain) for low, high, lock in one.all())
                for one in self.locks
            ),
            tuple((asid, at, *go_on) for asid, (at, go_on) in sorted(self.ended.items())),
        )
