"""Latest stores to each granule of a line: the private memory of a process, or all that is shared.

A fork shares what was stored so far as a layer that is never changed again; parent and child go on
with layers of their own. What was stored while the fork was under way may be in the child or not.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from cluster.properties.clocks import At, Clock
from cluster.properties.history import History

#: the stamp of contents that no store made: zero, or what a file holds
INITIAL = 1 << 62
#: earlier stores that are remembered where the latest may not count
_BEFORE_MAX = 8


class Stored(NamedTuple):
    """A store to a granule, or (INITIAL) its loss that was accepted."""

    stamp: int
    issued: Clock
    performed: At
    #: what it replaced, where it may be that it does not count
    before: "Stored | None" = None


class Layer(NamedTuple):
    """Stores up to a fork; `called` (clock of that fork's call) if they were inherited by it."""

    stores: dict[int, Stored]
    called: Clock | None


class Line:
    """Latest stores of one line, and what system calls did to its pages."""

    __slots__ = ("ancestors", "history", "layers", "maybe", "own")

    def __init__(self, ancestors: frozenset[int]) -> None:
        """Make an empty line; `ancestors` are the lines that it may show stores of, itself too."""
        self.ancestors = ancestors
        self.own: dict[int, Stored] = {}
        #: youngest first
        self.layers: tuple[Layer, ...] = ()
        #: stores of the parent while the fork was under way
        self.maybe: dict[int, tuple[Stored, ...]] = {}
        self.history = History()

    def put(self, key: int, stored: Stored, *, keeps: bool) -> None:
        """Note the latest store; `keeps` if it may be that it does not count."""
        if keeps:
            before = self._latest(key)
            if before is not None:
                stored = stored._replace(before=_shortened(before, _BEFORE_MAX))
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
        """Give the line of a child."""
        if self.own:
            self.layers = _compact((Layer(self.own, None), *self.layers))
            self.own = {}
        twin = Line(self.ancestors | {child})
        twin.layers = tuple(
            Layer(layer.stores, called if layer.called is None else layer.called)
            for layer in self.layers
        )
        twin.maybe = self.maybe.copy()
        twin.history = self.history.copy()
        return twin

    def copy(self) -> "Line":
        """Copy the containers; layers do not change."""
        twin = object.__new__(Line)
        twin.ancestors = self.ancestors
        twin.own = self.own.copy()
        twin.layers = self.layers
        twin.maybe = self.maybe.copy()
        twin.history = self.history.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return (
            tuple(sorted(self.ancestors)),
            _rows(self.own),
            tuple((_rows(layer.stores), layer.called or ()) for layer in self.layers),
            tuple(
                (*_split(key), *map(_plain, stores)) for key, stores in sorted(self.maybe.items())
            ),
            self.history.retained(),
        )


def _shortened(stored: Stored, most: int) -> Stored | None:
    if most == 0:
        return None
    if stored.before is None:
        return stored
    return stored._replace(before=_shortened(stored.before, most - 1))


def _compact(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Merge the two youngest while they are of a size: there are few, and each is copied seldom."""
    while len(layers) > 1:
        young, old = layers[0], layers[1]
        if young.called is not old.called or 2 * len(young.stores) < len(old.stores):
            break
        layers = (Layer(old.stores | young.stores, old.called), *layers[2:])
    return layers


def _split(key: int) -> tuple[int, int]:
    return key >> 48, key & (1 << 48) - 1


def _plain(stored: Stored) -> Hashable:
    before = () if stored.before is None else _plain(stored.before)
    return stored.stamp, stored.issued, stored.performed, before


def _rows(stores: dict[int, Stored]) -> Hashable:
    return tuple((*_split(key), _plain(stored)) for key, stored in sorted(stores.items()))
