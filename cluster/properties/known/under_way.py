"""Accesses under way: walks that are in flight, or dead; loads that memory has; faults."""

from typing import Self

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock

#: (page, the vm's event that sent the entry which an access goes by), for each page of a stretch
By = tuple[tuple[int, At | None], ...]


class UnderWay(Part):
    """What threads, and cores for them, have asked for and not been given.

    A walk is dead when an invalidation has killed it, or its thread was put to sleep meanwhile and
    will walk again: its answer is not loaded.
    """

    __slots__ = ("dead", "faults", "loads", "walks")

    def __init__(self) -> None:
        """Begin with nothing under way."""
        super().__init__()
        #: by thread: the page that it walks for (`asid << ASID_SHIFT | vpn`)
        self.walks: dict[int, int] = {}
        #: by thread: the event of its core that killed its walk
        self.dead: dict[int, At] = {}
        #: by core: what its load goes by
        self.loads: dict[int, By] = {}
        #: by thread: clock and vm of the event in which its fault arrived; is it for a store
        self.faults: dict[int, tuple[Clock, int, bool]] = {}

    def begins(self, thread: int, va: int) -> None:
        """Note that a thread's core asks for a translation."""
        self.walks[thread] = va
        if self.dead:
            self.dead.pop(thread, None)

    def ends(self, thread: int) -> None:
        """Note that the core has an answer."""
        self.walks.pop(thread, None)
        if self.dead:
            self.dead.pop(thread, None)

    def kills(self, thread: int, at: At) -> None:
        """Note that a walk, if the thread has one in flight, is dead from an event on."""
        if thread in self.walks:
            self.dead.setdefault(thread, at)

    def sleeps(self, thread: int, core: int) -> None:
        """Note that a thread sleeps: who wakes it knows that its walk, if it has one, is dead."""
        if thread in self.walks:
            self.dead[thread] = At(core, 0)

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)()
        twin.walks = self.walks.copy()
        twin.dead = self.dead.copy()
        twin.loads = self.loads.copy()
        twin.faults = self.faults.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on: the walks themselves are the cores' state."""
        return (
            tuple(sorted(self.dead.items())),
            tuple(
                (core, tuple((vpn, placed(at)) for vpn, at in by))
                for core, by in sorted(self.loads.items())
            ),
            tuple(
                (thread, placed(clock.latest(vm)), write)
                for thread, (clock, vm, write) in sorted(self.faults.items())
            ),
        )
