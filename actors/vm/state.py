"""The state of a vm: its address spaces, and the components that its operations work on.

A vm holds the address spaces of one process family: state, not a CPU. It never acts on its own;
every edit is a step of an operation, charged to the operation's initiator.
"""

from collections.abc import Hashable
from typing import Self

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


class VmState:
    """Each component owns what it is named after; its module says what else it touches."""

    __slots__ = (
        "deferrals",
        "entries",
        "holes",
        "in_flight",
        "me",
        "objects",
        "pages",
        "pins",
        "range_claims",
        "settings",
        "spaces",
        "waiting",
        "zeroing",
    )

    def __init__(self, me: int, settings: Settings) -> None:
        """Make the empty address spaces of the vm's processes."""
        self.me = me
        self.settings = settings
        self.spaces = {p: VmSpace() for p, vm in enumerate(settings.vm_of) if vm == me}
        self.in_flight = InFlight(me, settings)
        self.objects = Objects(self.spaces)
        self.pages = Pages(settings, self.objects)
        self.waiting = Waiting(self.in_flight, self.pages)
        self.entries = Entries(settings, self.spaces, self.pages)
        self.pins = Pins(settings, self.pages)
        self.holes = Holes(settings, self.objects, self.pages, self.entries)
        self.zeroing = Zeroing(me, settings, self.holes, self.waiting)
        self.deferrals = Deferrals()
        self.range_claims = RangeClaims()

    def clone(self) -> Self:
        """Copy the containers; the values in them are immutable and shared."""
        twin = type(self)(self.me, self.settings)
        twin.spaces = {asid: space.copy() for asid, space in self.spaces.items()}
        twin.in_flight = self.in_flight.clone()
        twin.objects = self.objects.clone(twin.spaces)
        twin.pages = self.pages.clone(twin.objects)
        twin.waiting = self.waiting.clone(twin.in_flight, twin.pages)
        twin.entries = self.entries.clone(twin.spaces, twin.pages)
        twin.pins = self.pins.clone(twin.pages)
        twin.holes = self.holes.clone(twin.objects, twin.pages, twin.entries)
        twin.zeroing = self.zeroing.clone(twin.holes, twin.waiting)
        twin.deferrals = self.deferrals.clone()
        twin.range_claims = self.range_claims.clone()
        return twin

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
