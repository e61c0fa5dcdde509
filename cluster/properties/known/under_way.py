"""What threads have asked for and not been given: walks that are dead, and faults."""

from typing import Self

from cluster.properties.canonical import Part, Retained, placed
from cluster.properties.clock import At, Clock


class UnderWay(Part):
    """Of threads that wait for their vm.

    A walk is dead when an invalidation has killed it, or its thread was put to sleep meanwhile and
    will walk again: its answer is not loaded.
    """

    __slots__ = ("dead", "faults")

    def __init__(self, dead: dict[int, At], faults: dict[int, tuple[Clock, int, bool]]) -> None:
        """Begin with these.

        dead: by thread: the event of its core that killed its walk.
        faults: by thread: clock and vm of the event in which its fault arrived; is it for a store.
        """
        super().__init__()
        self.dead = dead
        self.faults = faults

    def kills(self, thread: int, at: At) -> None:
        """Note that the walk of a thread is dead from an event on, if not before."""
        self.dead.setdefault(thread, at)

    def sleeps(self, thread: int, core: int) -> None:
        """Note that a thread sleeps: who wakes it knows that its walk, if it has one, is dead."""
        self.dead[thread] = At(core, 0)

    def answered(self, thread: int) -> None:
        """Note that a thread has its answer."""
        self.dead.pop(thread, None)
        self.faults.pop(thread, None)

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        return type(self)(self.dead.copy(), self.faults.copy())

    def retained(self) -> Retained:
        """Return what a later verdict may depend on: the walks themselves are the cores' state."""
        return (
            tuple(sorted(self.dead.items())),
            tuple(
                (thread, placed(clock.latest(vm)), write)
                for thread, (clock, vm, write) in sorted(self.faults.items())
            ),
        )
