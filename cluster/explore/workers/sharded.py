"""One worker's part of a breadth-first search by several, with the result of one worker.

States are numbered as `stateful.search` comes to know them: a state has a rank, and what follows
from it has a key, made of that rank and the number of the choice. A batch is a range of ranks. Each
worker visits those of its states that are in it, and claims the fingerprints of their successors.
The owner of a fingerprint, who has seen all like it, knows which are new; of several claims that
with the lowest key counts, as in a queue, and one of those who made it keeps the state.

So nothing that is found depends on the workers: neither counts nor paths, whatever ends a search.
No state is sent; the driver knows by which choices each came to be known first.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, MutableSequence, Sequence

import msgspec

from cluster.explore.state import State

#: bits of a key that number the choice
CHOICE_BITS = 16
_CHOICES = 1 << CHOICE_BITS
_FINGERPRINT = 16


class Claims(msgspec.Struct, frozen=True):
    """Successors whose fingerprints belong to one owner: 16 bytes and a key each."""

    fingerprints: bytearray
    keys: MutableSequence[int]


class Visited(msgspec.Struct, frozen=True):
    """What a worker found in its part of a batch."""

    #: by owner
    claims: list[Claims]
    transitions: int
    quiescent: int
    #: key, broken promise, whether by ending there
    broken: list[tuple[int, str, bool]]


class Taken(msgspec.Struct):
    """What a worker is to visit from now on."""

    #: of its successors: their keys, and their ranks as states
    keys: Sequence[int] = ()
    ranks: Sequence[int] = ()
    #: ranks that another worker visits, which makes those states anew
    dropped: Sequence[int] = ()
    #: by rank: the numbers of the choices that lead to a state
    moved: dict[int, list[int]] = {}


class Shard:
    """A worker's part: states to be visited, and the fingerprints that it owns."""

    def __init__(self, start: Callable[[], State]) -> None:
        """Be the only worker, with the first state to visit."""
        self._start = start()
        self._me, self._of = 0, 1
        self._seen: set[bytes] = {_fingerprint(self._start)}
        #: by rank
        self._queue: list[tuple[int, State]] = [(0, self._start)]
        #: by key: successors of the last batch
        self._made: dict[int, State] = {}
        #: of the last batch: rank, number of choices
        self._widths: list[tuple[int, int]] = []

    def share(self, me: int, of: int) -> None:
        """Keep a part: be one of so many workers that all know the same."""
        self._me, self._of = me, of
        self._seen = {f for f in self._seen if _owner(f, of) == me}
        self._queue = [entry for entry in self._queue if entry[0] % of == me]

    def visit(self, taken: Taken, until: int) -> Visited:
        """Take states in, and visit all up to a rank."""
        self._take(taken)
        ready = bisect_left(self._queue, until, key=_rank)
        visiting, self._queue = self._queue[:ready], self._queue[ready:]
        self._widths = []
        made: dict[bytes, int] = {}
        broken: list[tuple[int, str, bool]] = []
        for rank, state in visiting:
            self._visit(rank, state, made, broken)
        return Visited(
            self._claims(made),
            sum(width for _, width in self._widths),
            sum(not width for _, width in self._widths),
            broken,
        )

    def _visit(
        self,
        rank: int,
        state: State,
        made: dict[bytes, int],
        broken: list[tuple[int, str, bool]],
    ) -> None:
        enabled = state.enabled()
        assert len(enabled) < _CHOICES
        self._widths.append((rank, len(enabled)))
        key = rank << CHOICE_BITS
        if not enabled and (promise := state.ended()):
            broken.append((key, promise, True))
        for choice in enabled:
            after = state.deliver(choice)
            if promise := after.broken():
                broken.append((key, promise, False))
            elif made.setdefault(_fingerprint(after), key) == key:
                self._made[key] = after
            key += 1

    def _claims(self, made: dict[bytes, int]) -> list[Claims]:
        claims = [Claims(bytearray(), array("Q")) for _ in range(self._of)]
        for fingerprint, key in made.items():
            owner = _owner(fingerprint, self._of)
            if owner == self._me and fingerprint in self._seen:
                del self._made[key]
            else:
                claims[owner].fingerprints.extend(fingerprint)
                claims[owner].keys.append(key)
        return claims

    def judge(self, claims: Sequence[Claims]) -> list[list[tuple[int, int]]]:
        """Say as an owner what is new: the keys of each new state, with the claiming workers."""
        new: dict[bytes, list[tuple[int, int]]] = {}
        for worker, claim in enumerate(claims):
            fingerprints = bytes(claim.fingerprints)
            for place, key in enumerate(claim.keys):
                at = place * _FINGERPRINT
                fingerprint = fingerprints[at : at + _FINGERPRINT]
                if fingerprint not in self._seen:
                    new.setdefault(fingerprint, []).append((key, worker))
        self._seen.update(new)
        return list(new.values())

    def recount(self, last: int) -> tuple[int, int]:
        """Count the last batch up to a key: transitions, and quiescent states."""
        rank, choice = last >> CHOICE_BITS, last % _CHOICES
        transitions = quiescent = 0
        for at, width in self._widths:
            if at <= rank:
                transitions += width if at < rank else min(width, choice + 1)
                quiescent += not width
        return transitions, quiescent

    def _take(self, taken: Taken) -> None:
        for key, rank in zip(taken.keys, taken.ranks, strict=True):
            self._queue.append((rank, self._made[key]))
        self._made = {}
        if taken.dropped:
            dropped = set(taken.dropped)
            self._queue = [entry for entry in self._queue if entry[0] not in dropped]
        if taken.moved:
            states = along(self._start, taken.moved.values())
            self._queue += zip(taken.moved, states, strict=True)
        self._queue.sort(key=_rank)


def along(start: State, paths: Iterable[Sequence[int]]) -> Iterable[State]:
    """Give the states at the ends of paths; each path begins where it leaves the one before."""
    places = [start]
    before: Sequence[int] = ()
    for path in paths:
        same = 0
        while same < min(len(path), len(before)) and path[same] == before[same]:
            same += 1
        del places[same + 1 :]
        for number in path[same:]:
            places.append(places[-1].deliver(places[-1].enabled()[number]))
        yield places[-1]
        before = path


def _rank(entry: tuple[int, State]) -> int:
    return entry[0]


def _owner(fingerprint: bytes, of: int) -> int:
    return int.from_bytes(fingerprint[:8]) % of


def _fingerprint(state: State) -> bytes:
    fingerprint = state.fingerprint()
    assert isinstance(fingerprint, bytes)
    assert len(fingerprint) == _FINGERPRINT
    return fingerprint
