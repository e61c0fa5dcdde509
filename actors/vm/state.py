"""The state of a vm: its address spaces, and the components that its operations work on.

A vm holds the address spaces of one process family: state, not a CPU. It never acts on its own;
every edit is a step of an operation, charged to the operation's initiator.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from actors.settings import Settings
from actors.vm.deferrals import Deferrals
from actors.vm.entries import Entries
from actors.vm.holes import Holes
from actors.vm.in_flight import InFlight
from actors.vm.objects import Objects
from actors.vm.pages import Pages
from actors.vm.pins import Pins
from actors.vm.range_claims import RangeClaims
from actors.vm.waiting import Waiting
from actors.vm.zeroing import Zeroing
from kernel.vmspace import VmSpace


@dataclass(eq=False, repr=False, slots=True)
class VmState:
    """Each component owns what it is named after; its module says what else it touches."""

    me: int
    settings: Settings
    spaces: dict[int, VmSpace]
    in_flight: InFlight
    objects: Objects
    pages: Pages
    waiting: Waiting
    entries: Entries
    pins: Pins
    holes: Holes
    zeroing: Zeroing
    deferrals: Deferrals
    range_claims: RangeClaims

    def clone(self) -> "VmState":
        """Copy the containers and wire the copies to one another; values are shared."""
        spaces = {asid: space.copy() for asid, space in self.spaces.items()}
        in_flight, objects = self.in_flight.clone(), self.objects.clone(spaces)
        pages = self.pages.clone(objects)
        waiting = self.waiting.clone(in_flight, pages)
        entries = self.entries.clone(spaces, pages)
        holes = self.holes.clone(objects, pages, entries)
        return VmState(
            self.me,
            self.settings,
            spaces,
            in_flight,
            objects,
            pages,
            waiting,
            entries,
            self.pins.clone(pages),
            holes,
            self.zeroing.clone(holes, waiting),
            self.deferrals.clone(),
            self.range_claims.clone(),
        )

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple(space.freeze() for space in self.spaces.values()),
            self.in_flight.freeze(),
            self.objects.freeze(),
            self.pages.freeze(),
            self.waiting.freeze(),
            self.entries.freeze(),
            self.pins.freeze(),
            self.holes.freeze(),
            self.zeroing.freeze(),
            self.deferrals.freeze(),
            self.range_claims.freeze(),
        )

    def waits(self) -> list[str]:
        """Name operations in flight, held locks, busy and pinned pages, frames still held."""
        found = self.in_flight.waiting()
        for asid, space in self.spaces.items():
            if not space.lock.idle():
                found.append(f"map lock of process {asid} is held: {space.lock}")
        return [*found, *self.objects.waiting(), *self.pins.waiting()]


def empty_state(me: int, settings: Settings) -> VmState:
    """Make the empty address spaces of a vm's processes."""
    spaces = {p: VmSpace() for p, vm in enumerate(settings.vm_of) if vm == me}
    in_flight, objects = InFlight(me, settings), Objects(spaces)
    pages = Pages(settings, objects)
    waiting, entries = Waiting(in_flight, pages), Entries(settings, spaces, pages)
    holes = Holes(settings, objects, pages, entries)
    return VmState(
        me,
        settings,
        spaces,
        in_flight,
        objects,
        pages,
        waiting,
        entries,
        Pins(settings, pages),
        holes,
        Zeroing(me, settings, holes, waiting),
        Deferrals(),
        RangeClaims(),
    )
