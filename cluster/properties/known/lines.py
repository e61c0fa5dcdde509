"""Latest stores to each granule of a line: the private memory of a process, or all that is shared.

A fork shares what was stored so far as a layer that is never changed again; parent and child go on
with layers of their own. What was stored while the fork was under way may be in the child or not.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Self

import msgspec

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock
from cluster.properties.known.page_ranges import PageRanges
from cluster.properties.known.shown import SHARED
from kernel.units import CELL_SHIFT

#: the stamp of contents that no store made: zero, or what a file holds
INITIAL = 1 << 62
#: earlier stores that are remembered where the latest may not count
_BEFORE_MAX = 8
_LOW_SHIFT = 48
_LOW = (1 << _LOW_SHIFT) - 1


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A store to a granule, or (INITIAL) its loss that was accepted."""

    stamp: int
    issued: Clock
    performed: At
    #: the vm's event that sent the translation which it went by, if that is known
    used: At | None = None
    #: the store that it replaced, kept if this one may turn out not to count
    before: "Stored | None" = None


Keeps = Callable[[Stored], bool]


class Layer(msgspec.Struct, frozen=True, gc=False):
    """Stores up to a fork; `called` (clock of that fork's call) if they were inherited by it."""

    stores: dict[int, Stored]
    called: Clock | None


class Line:
    """Latest stores of one line."""

    __slots__ = ("ancestors", "layers", "maybe", "own")

    def __init__(self, ancestors: frozenset[int]) -> None:
        """Make an empty line; `ancestors` are the lines that it may show stores of, itself too."""
        self.ancestors = ancestors
        self.own: dict[int, Stored] = {}
        #: youngest first
        self.layers: tuple[Layer, ...] = ()
        #: stores of the parent while the fork was under way
        self.maybe: dict[int, tuple[Stored, ...]] = {}

    def put(self, key: int, stored: Stored, keeps: "Keeps | None") -> None:
        """Note the latest store.

        keeps: says of the store that it replaces whether that may be seen after it, as this one
            may turn out not to count; None: it cannot.
        """
        if keeps is not None:
            before = self._latest(key)
            if before is not None and keeps(before):
                before = _shortened(before, _BEFORE_MAX)
                stored = msgspec.structs.replace(stored, before=before)
        self.own[key] = stored

    def _latest(self, key: int) -> Stored | None:
        stored = self.own.get(key)
        if stored is None:
            held = (layer.stores.get(key) for layer in self.layers)
            stored = next((one for one in held if one is not None), None)
        return stored

    def candidates(
        self, key: int, clock: Clock, excused: Callable[[Stored], bool]
    ) -> Iterator[Stored | None]:
        """Yield the stores that a load may see, latest first; None: what was there initially.

        clock: of the event in which memory performs the load.
        excused: says whether a discard may have undone a store.
        """
        stored = self.own.get(key)
        called: Clock | None = None
        if stored is None:
            yield from self.maybe.get(key, ())
            for layer in self.layers:
                stored = layer.stores.get(key)
                if stored is not None:
                    called = layer.called
                    break
        while stored is not None:
            yield stored if stored.stamp != INITIAL else None
            undone = excused(stored)
            if undone:
                yield None
            certain = clock.knows(stored.performed) and not (
                called is not None and not called.knows(stored.performed)
            )
            if certain and not undone:
                return
            stored = stored.before
        yield None

    def fork(self, child: int, called: Clock) -> "Line":
        """Return the line of a child that is forked off by a call, given the call's clock.

        It has what that clock knows to be stored, and perhaps what it does not.
        """
        own, certain, perhaps = self.own, {}, {}
        self.own = {}
        for key, stored in own.items():
            later, known = _since(stored, called)
            if known is not None:
                certain[key] = known
            if later:
                self.own[key] = stored
                perhaps[key] = later
        if certain:
            self.layers = _compact((Layer(certain, None), *self.layers))
        twin = Line(self.ancestors | {child})
        twin.layers = tuple(
            Layer(layer.stores, called if layer.called is None else layer.called)
            for layer in self.layers
        )
        twin.maybe = self.maybe.copy()
        for key, later in perhaps.items():
            twin.maybe[key] = (*later, *twin.maybe.get(key, ()))
        return twin

    def is_forked(self, clock: Clock) -> None:
        """Note that the fork which made it is complete: later stores have not come with it."""
        for key, stores in list(self.maybe.items()):
            left = tuple([one for one in stores if clock.knows(one.performed)])
            if left:
                self.maybe[key] = left
            else:
                del self.maybe[key]

    def size(self) -> int:
        """Count the stores."""
        return len(self.own) + len(self.maybe) + sum(len(one.stores) for one in self.layers)

    def copy(self) -> "Line":
        """Copy the containers; layers do not change."""
        twin = Line(self.ancestors)
        twin.own = self.own.copy()
        twin.layers = self.layers
        twin.maybe = self.maybe.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return (
            tuple(sorted(self.ancestors)),
            _rows(self.own),
            tuple((_rows(layer.stores), layer.called or ()) for layer in self.layers),
            tuple(
                (*_split(key), *map(_plain, stores)) for key, stores in sorted(self.maybe.items())
            ),
        )


class Lines(Part):
    """All lines: one for each address space, and the shared one."""

    __slots__ = ("of",)

    def __init__(self, processes: int) -> None:
        """Begin with nothing stored."""
        super().__init__()
        self.of = {number: Line(frozenset({number})) for number in (*range(processes), SHARED)}

    def forget(self, shown: dict[int, PageRanges]) -> None:
        """Forget stores to all pages but these, by line.

        A layer, which several lines may have, keeps what any of them shows.
        """
        layers: dict[int, dict[int, Stored]] = {}
        for number, line in self.of.items():
            mine = shown[number]
            for stores in (line.own, line.maybe):
                for key in [key for key in stores if key >> CELL_SHIFT not in mine]:
                    del stores[key]
            for layer in line.layers:
                left = layers.setdefault(id(layer.stores), {})
                left.update((k, s) for k, s in layer.stores.items() if k >> CELL_SHIFT in mine)
        for line in self.of.values():
            kept = (Layer(layers[id(one.stores)], one.called) for one in line.layers)
            line.layers = tuple(one for one in kept if one.stores)

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(0)
        twin.of = {number: line.copy() for number, line in self.of.items()}
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on."""
        return tuple(line.retained() for _, line in sorted(self.of.items()))


def _since(stored: Stored | None, clock: Clock) -> tuple[tuple[Stored, ...], Stored | None]:
    """Split a store, and those that it replaced, into those that a clock does not know and one."""
    later = []
    while stored is not None and not clock.knows(stored.performed):
        later.append(msgspec.structs.replace(stored, before=None))
        stored = stored.before
    return tuple(later), stored


def _shortened(stored: Stored, most: int) -> Stored | None:
    if most == 0:
        return None
    if stored.before is None:
        return stored
    return msgspec.structs.replace(stored, before=_shortened(stored.before, most - 1))


def _compact(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Merge the two youngest while they are of similar size: few are left, and few are copied."""
    while len(layers) > 1:
        young, old = layers[0], layers[1]
        if young.called is not old.called or 2 * len(young.stores) < len(old.stores):
            break
        layers = (Layer(old.stores | young.stores, old.called), *layers[2:])
    return layers


def _split(key: int) -> tuple[int, int]:
    return key >> _LOW_SHIFT, key & _LOW


def _plain(stored: Stored) -> Hashable:
    before = () if stored.before is None else _plain(stored.before)
    return stored.stamp, stored.issued, stored.performed, placed(stored.used), before


def _rows(stores: dict[int, Stored]) -> Hashable:
    return tuple((*_split(key), _plain(stored)) for key, stored in sorted(stores.items()))
