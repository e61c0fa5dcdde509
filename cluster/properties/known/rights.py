"""What each process may do where, by what its system calls said: protections, locks, its end.

A page keeps its latest changes of rights, in the order in which the calls arrived. What an access
may do is decided by those that its issuer knows of; one that it does not know to be over may have
taken effect or not.
"""

from collections.abc import Callable
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained
from cluster.properties.clock import At
from kernel.intervals import IntervalMap

READ, WRITE = 1, 2
#: what a call made of the rights is not known
UNSURE = -1
_KEEP = 3


class Right(msgspec.Struct, frozen=True, gc=False):
    """A change of rights: what is allowed from it on (0: nothing, or nothing is mapped)."""

    allowed: int
    #: the vm's events: the call arrived, it returned (None: not yet)
    called: At
    since: At | None


class Lock(msgspec.Struct, frozen=True, gc=False):
    """Memory that is locked, or may be."""

    certain: bool


Timeline = tuple[Right, ...]


class Rights(Part):
    """Rights and locks by page of each address space, and processes that have ended."""

    __slots__ = ("ended", "locks", "timelines")

    def __init__(self, processes: int) -> None:
        """Begin with nothing mapped."""
        super().__init__()
        #: newest first; where there is none, nothing was ever mapped
        self.timelines: list[IntervalMap[Timeline]] = [IntervalMap() for _ in range(processes)]
        self.locks: list[IntervalMap[Lock]] = [IntervalMap() for _ in range(processes)]
        #: by address space: the event in which it ended, and the threads that are not of those that
        #: ended with it: the one that called execve, and what it has started since
        self.ended: dict[int, tuple[At, tuple[int, ...]]] = {}

    # Changes.

    def begins(self, asid: int, start: int, end: int, allowed: int, at: At) -> None:
        """Note that a call which changes rights arrived."""
        self._push(asid, start, end, Right(allowed, at, None))

    def ends(self, asid: int, start: int, end: int, called: At, at: At, allowed: int) -> None:
        """Note that it has returned, and what is allowed now."""
        self._replace(asid, start, end, called, Right(allowed, called, at))

    def fails(self, asid: int, start: int, end: int, called: At) -> None:
        """Note that it has failed, and changed nothing."""
        self._replace(asid, start, end, called, None)

    def _push(self, asid: int, start: int, end: int, right: Right) -> None:
        space = self.timelines[asid]
        for low, high in list(space.gaps(start, end)):
            space.assign(low, high, ())
        for low, high, old in list(space.pieces(start, end)):
            space.assign(low, high, (right, *old)[:_KEEP])

    def _replace(self, asid: int, start: int, end: int, called: At, right: Right | None) -> None:
        space = self.timelines[asid]
        new = () if right is None else (right,)
        for low, high, old in list(space.pieces(start, end)):
            there = [new if one.called == called else (one,) for one in old]
            space.assign(low, high, tuple(one for part in there for one in part))

    def moved(
        self,
        asid: int,
        old: tuple[int, int],
        new: tuple[int, int],
        called: At,
        at: At,
        *,
        keep: bool,
    ) -> None:
        """Note that mremap has moved what was allowed in a range to another."""
        start, end = old
        length, by = min(end - start, new[1] - new[0]), new[0] - start
        found = [
            (low, high, next((r.allowed for r in line if r.called != called), 0))
            for low, high, line in self.timelines[asid].pieces(start, start + length)
        ]
        # where the old range has a gap, what is at the new place stays
        self.ends(asid, *new, called, at, UNSURE)
        for low, high, allowed in found:
            if allowed:
                self.ends(asid, low + by, high + by, called, at, allowed)
            if keep:
                self.ends(asid, low, high, called, at, allowed)
        if found and found[-1][2] and start + length == found[-1][1] < new[1] - by:
            self.ends(asid, start + length + by, new[1], called, at, found[-1][2])
        if not keep:
            self.ends(asid, start, end, called, at, 0)

    def fork(self, parent: int, child: int) -> None:
        """Give a child its parent's rights; what is being changed is not certain there. No lock."""
        space = self.timelines[child] = self.timelines[parent].copy()
        for low, high, line in list(space.all()):
            if any(one.since is None for one in line):
                sure = tuple(
                    Right(UNSURE, r.called, r.called) if r.since is None else r for r in line
                )
                space.assign(low, high, sure)
        self.locks[child] = IntervalMap()

    def sets(self, asid: int, start: int, end: int, allowed: int, at: At) -> None:
        """Note what a new process may do in a range, otherwise than its parent."""
        self._push(asid, start, end, Right(allowed, at, at))

    def forget(self, known_to_all: Callable[[int], int]) -> None:
        """Forget that nothing is mapped where everybody knows that.

        known_to_all: gives, for an address space, the latest event of its vm that all know of.
        """
        for asid, space in enumerate(self.timelines):
            known = known_to_all(asid) if len(space) else 0
            for low, high, line in space.all():
                newest = line[0] if line else None
                if newest is None or (
                    not newest.allowed and newest.since and newest.since.number <= known
                ):
                    space.remove(low, high)

    def started(self, asid: int, by: int, thread: int) -> None:
        """Note that a thread starts another one."""
        at, go_on = self.ended[asid]
        if by in go_on and thread not in go_on:
            self.ended[asid] = at, (*go_on, thread)

    # Questions.

    def allows(self, asid: int, vpn: int, need: int, known: int, until: int) -> bool | None:
        """Say whether an access is allowed, or None if that is not certain.

        need: READ or WRITE.
        known: the number of the vm's latest event that its issuer knows of. Calls that arrived
        later than that, but not later than `until`, may have been in effect.
        """
        line = self.timelines[asid].value(vpn)
        if line:
            newest = line[0]
            since = newest.since
            if since is not None and since.number <= known and newest.allowed != UNSURE:
                return newest.allowed & need == need
        answers = set()
        for right in line or ():
            if right.called.number > until:
                continue
            if right.allowed == UNSURE:
                return None
            answers.add(right.allowed & need == need)
            if right.since is not None and right.since.number <= known:
                break
        else:
            if line is not None and len(line) == _KEEP:
                return None
            answers |= {False}
        return answers.pop() if len(answers) == 1 else None

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
        twin.timelines = [one.copy() for one in self.timelines]
        twin.locks = [one.copy() for one in self.locks]
        twin.ended = self.ended.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(
                tuple(
                    (low, high, tuple((r.allowed, r.called, r.since or ()) for r in line))
                    for low, high, line in one.all()
                )
                for one in self.timelines
            ),
            tuple(
                tuple((low, high, lock.certain) for low, high, lock in one.all())
                for one in self.locks
            ),
            tuple((asid, at, *go_on) for asid, (at, go_on) in sorted(self.ended.items())),
        )
