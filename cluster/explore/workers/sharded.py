"""A worker's part of a breadth-first search by several; the result is that of a single worker.

States are ranked in the order in which `stateful.search` would find them; a successor has a key,
made of its parent's rank and the number of the choice. A batch is a range of ranks. Each worker
visits its states in the batch, and claims the fingerprints of their successors. Every fingerprint
has an owner, who knows which are new; of several claims the one with the lowest key counts, as in a
queue, and one of the claiming workers keeps the state.

So nothing that is found depends on the workers, neither counts nor paths, whatever ends the search.
States are not sent; the driver knows by which choices each was found first.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, MutableSequence, Sequence

import msgspec

from cluster.explore.state import State

#: bits of a key for the number of the choice
CHOICE_BITS = 16
_CHOICES = 1 << CHOICE_BITS
_FINGERPRINT = 16


class Claims(msgspec.Struct, frozen=True):
    """Claimed successors whose fingerprints have one owner: 16 bytes and a key each."""

    fingerprints: bytearray
    keys: MutableSequence[int]


class Visited(msgspec.Struct, frozen=True):
    """What a worker found in its part of a batch."""

    #: by owner
    claims: list[Claims]
    transitions: int
    quiescent: int
    #: key, broken promise, whether it broke by ending there
    broken: list[tuple[int, str, bool]]


class Taken(msgspec.Struct):
    """Changes to what a worker is to visit."""

    #: successors that it made and keeps: their keys, and their ranks as states
    keys: Sequence[int] = ()
    ranks: Sequence[int] = ()
    #: ranks of states that another worker takes over (and makes anew)
    dropped: Sequence[int] = ()
    #: states that it takes over: rank -> the numbers of the choices that lead there
    moved: dict[int, list[int]] = {}


class Shard:
    """A worker's part: states to visit, and the fingerprints that it owns."""

    def __init__(self, start: Callable[[], State]) -> None:
        """Start as the only worker, with the first state to visit."""
        self._start = start()
        self._me, self._of = 0, 1
        self._seen: set[bytes] = {_fingerprint(self._start)}
        #: (rank, state), sorted
        self._queue: list[tuple[int, State]] = [(0, self._start)]
        #: key -> successor, of the last batch
        self._made: dict[int, State] = {}
        #: (rank, number of choices), of the last batch
        self._widths: list[tuple[int, int]] = []

    def share(self, me: int, of: int) -> None:
        """Keep only a part: become worker `me` of `of` that all know the same."""
        self._me, self._of = me, of
        self._seen = {f for f in self._seen if _owner(f, of) == me}
        self._queue = [entry for entry in self._queue if entry[0] % of == me]

    def visit(self, taken: Taken, until: int) -> Visited:
        """Take in changes, and visit all states below the rank `until`."""
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
        """Return, as owner, the new states: for each its keys, with the claiming workers."""
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
        """Return the transitions and quiescent states of the last batch, up to a key."""
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
    """Yield the states at the ends of paths, reusing what a path shares with the one before."""
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
