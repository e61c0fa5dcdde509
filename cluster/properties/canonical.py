"""Parts of what the checker knows, and their canonical form.

A verdict compares a clock with an event that some part retains, or such an event with others of its
actor. So events are renamed by rank among those that are retained: states that differ in nothing
else are equal, and a search over them closes. What is never compared with a clock (`Placed`) only
has a place among them: no clock is told apart by whether it knows it.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Hashable, Iterable
from hashlib import blake2b
from typing import Any, Self

import msgspec

from cluster.properties.clock import At, Clock, NarrowClock, WideClock

#: canonical forms that are remembered: many states have the same
_KNOWN_MOST = 1 << 12
_CLOCKS = frozenset({NarrowClock, WideClock})
#: what a part retains: nested tuples of numbers, events and clocks
Retained = tuple[Any, ...]
_ENCODER = msgspec.msgpack.Encoder()


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An event that is compared with others of its actor, and with no clock."""

    actor: int
    number: int


def placed(at: At | None) -> Placed | tuple[()]:
    """Return an event as one that no clock is compared with."""
    return () if at is None else Placed(at.actor, at.number)


class Frozen:
    """What a part retains. Equal ones are one object, so that they are compared only once."""

    __slots__ = ("events", "is_plain", "value")

    def __init__(self, value: Retained) -> None:
        """Hold nested tuples."""
        self.value = value
        #: by actor: the events in them
        self.events: dict[int, set[int]] = {}
        #: there is nothing to rename
        self.is_plain = _collect(value, self.events)


class Part(ABC):
    """Some of what the checker knows: copied when a delivery changes it, and shared otherwise."""

    __slots__ = ("frozen",)

    def __init__(self) -> None:
        """Begin unfrozen."""
        #: kept until the part is copied: who freezes a part, and changes it, has to copy it first
        self.frozen: Frozen | None = None

    @abstractmethod
    def copy(self) -> Self:
        """Copy the containers."""

    @abstractmethod
    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""


class Canonical:
    """What all parts retain, as a digest; renames clocks as it renamed the events."""

    __slots__ = ("_clocks", "_orders", "digest")

    def __init__(self, parts: Iterable[Frozen]) -> None:
        """Rename the events in what parts retain."""
        referred: dict[int, set[int]] = {}
        for part in parts:
            for actor, found in part.events.items():
                referred.setdefault(actor, set()).update(found)
        self._orders = sorted((actor, sorted(found)) for actor, found in referred.items())
        self._clocks: dict[Clock, tuple[int, ...]] = {}
        of_actor = dict(self._orders)
        renamed = [
            part.value if part.is_plain else self._renamed(part.value, of_actor) for part in parts
        ]
        self.digest = blake2b(_ENCODER.encode(renamed), digest_size=16).digest()

    def clocks(self, clocks: Iterable[Clock]) -> list[tuple[int, ...]]:
        """Rename clocks."""
        known, rename = self._clocks.get, self._clock
        return [rename(c) if (found := known(c)) is None else found for c in clocks]

    def _clock(self, clock: Clock) -> tuple[int, ...]:
        found = self._clocks[clock] = clock.ranks(self._orders)
        return found

    def _renamed(self, value: tuple[Any, ...], of_actor: dict[int, list[int]]) -> tuple[Any, ...]:
        renamed: list[Any] = []
        for part in value:
            kind = part.__class__
            if kind is tuple:
                renamed.append(self._renamed(part, of_actor) if part else part)
            elif kind in _CLOCKS:
                found = self._clocks.get(part)
                renamed.append(self._clock(part) if found is None else found)
            elif kind is At or kind is Placed:
                actor = part.actor
                renamed.append((actor, bisect_right(of_actor.get(actor, ()), part.number)))
            else:
                renamed.append(part)
        return tuple(renamed)


def _collect(value: tuple[Any, ...], referred: dict[int, set[int]]) -> bool:
    """Collect the events in nested tuples; say whether there are none, nor clocks."""
    plain = True
    for part in value:
        kind = part.__class__
        if kind is tuple:
            if part and not _collect(part, referred):
                plain = False
        elif kind is At:
            referred.setdefault(part.actor, set()).add(part.number)
            plain = False
        elif kind is Placed or kind in _CLOCKS:
            plain = False
    return plain


class Canonicals:
    """Parts that were frozen lately, and the canonical forms of all of them together."""

    __slots__ = ("_forms", "_frozen")

    def __init__(self) -> None:
        """Know none."""
        self._frozen: dict[Hashable, Frozen] = {}
        self._forms: dict[tuple[Frozen, ...], Canonical] = {}

    def of(self, parts: Iterable[Part]) -> Canonical:
        """Find the canonical form of what parts retain, or make it."""
        every = tuple([self._freeze(p) if p.frozen is None else p.frozen for p in parts])
        form = self._forms.get(every)
        if form is None:
            if len(self._forms) >= _KNOWN_MOST:
                self._forms.clear()
                self._frozen.clear()
            form = self._forms[every] = Canonical(every)
        return form

    def _freeze(self, part: Part) -> Frozen:
        retained = part.retained()
        frozen = self._frozen.get(retained)
        if frozen is None:
            frozen = self._frozen[retained] = Frozen(retained)
        part.frozen = frozen
        return frozen
