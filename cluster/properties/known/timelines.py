"""What accesses are allowed, page by page, by what system calls said: a timeline each.

A page keeps its latest changes, in the order in which the calls arrived. What an access may do is
decided by those that its issuer knows of; one that it does not know to be over may have taken
effect or not.
"""

from collections.abc import Callable

import msgspec

from cluster.properties.canonical import Retained
from cluster.properties.clock import At
from kernel.intervals import IntervalMap

READ, WRITE = 1, 2
#: what a call made of the rights is not known
UNSURE = -1
_KEEP = 3


class Right(msgspec.Struct, frozen=True, gc=False):
    """A change: what is allowed from it on."""

    allowed: int
    #: the vm's events: the call arrived, it returned (None: not yet)
    called: At
    since: At | None


Timeline = tuple[Right, ...]


class Timelines:
    """Of all address spaces; `first` is what is allowed where there never was a change."""

    __slots__ = ("first", "of")

    def __init__(self, processes: int, first: int) -> None:
        """Begin with no change."""
        self.first = first
        #: newest first
        self.of: list[IntervalMap[Timeline]] = [IntervalMap() for _ in range(processes)]

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
        space = self.of[asid]
        for low, high in list(space.gaps(start, end)):
            space.assign(low, high, ())
        for low, high, old in list(space.pieces(start, end)):
            space.assign(low, high, (right, *old)[:_KEEP])

    def _replace(self, asid: int, start: int, end: int, called: At, right: Right | None) -> None:
        space = self.of[asid]
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
            for low, high, line in self.of[asid].pieces(start, start + length)
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
        """Give a child what its parent may do; what is being changed is not certain there."""
        space = self.of[child] = self.of[parent].copy()
        for low, high, line in list(space.all()):
            if any(one.since is None for one in line):
                sure = tuple(
                    Right(UNSURE, r.called, r.called) if r.since is None else r for r in line
                )
                space.assign(low, high, sure)

    def sets(self, asid: int, start: int, end: int, allowed: int, at: At) -> None:
        """Note what a new process may do in a range, otherwise than its parent."""
        self._push(asid, start, end, Right(allowed, at, at))

    def forget(self, known_to_all: Callable[[int], int]) -> None:
        """Forget that it is as at first where everybody knows that.

        known_to_all: gives, for an address space, the latest event of its vm that all know of.
        """
        for asid, space in enumerate(self.of):
            known = known_to_all(asid) if len(space) else 0
            for low, high, line in space.all():
                newest = line[0] if line else None
                if newest is None or (
                    newest.allowed == self.first and newest.since and newest.since.number <= known
                ):
                    space.remove(low, high)

    def allows(self, asid: int, vpn: int, need: int, known: int, until: int) -> bool | None:
        """Say whether an access is allowed, or None if that is not certain.

        need: READ or WRITE.
        known: the number of the vm's latest event that its issuer knows of. Calls that arrived
        later than that, but not later than `until`, may have been in effect.
        """
        line = self.of[asid].value(vpn) or ()
        if len(line) == 1:  # mostly
            newest = line[0]
            if newest.since is not None and newest.since.number <= known:
                return None if newest.allowed == UNSURE else newest.allowed & need == need
        answers, sure = set(), -1
        for right in line:
            since = right.since
            if sure >= 0 and since is not None and since.number < sure:
                break  # it was over before the one that is sure began
            if right.called.number > until:
                continue
            if right.allowed == UNSURE:
                return None
            answers.add(right.allowed & need == need)
            if sure < 0 and since is not None and since.number <= known:
                sure = right.called.number
        else:
            if sure < 0:
                if len(line) == _KEEP:
                    return None
                answers.add(self.first & need == need)
        return answers.pop() if len(answers) == 1 else None

    # For exploring.

    def copy(self) -> "Timelines":
        """Copy the containers."""
        twin = Timelines(0, self.first)
        twin.of = [one.copy() for one in self.of]
        return twin

    def rows(self) -> Retained:
        """Return what a later verdict may depend on."""
        return tuple(
            tuple(
                (low, high, tuple((r.allowed, r.called, r.since or ()) for r in line))
                for low, high, line in one.all()
            )
            for one in self.of
        )
