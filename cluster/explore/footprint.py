"""What a delivery touches at its receiver: which deliveries to one machine commute.

Deliveries to a memory commute if they concern different frames, or only read; page walks commute if
they concern different pages. All else is taken to touch the whole machine. Whether this is so is
tested by running both orders (`tests/cluster/explore/test_footprints.py`).

The checker's clocks order all deliveries to one machine. An order that differs from another only by
exchanging what commutes may have other clocks, and a promise that rests on them may be found broken
in one of the two only: a search with footprints finds faults, but what it does not find is no
proof. `Dependency.RECEIVER` takes all deliveries to one machine for dependent, and is one.
"""

from collections.abc import Hashable, Iterable

from actors.hardware.memory import Memory
from actors.machine import Machine
from actors.message import Message
from actors.messages import (
    ChunkData,
    CopyChunk,
    DmaLoad,
    DmaStore,
    FillFrame,
    Free,
    Load,
    PageOut,
    SetDirty,
    Store,
    SwapData,
    Walk,
    ZeroChunk,
)
from actors.vm.machine import Vm
from cluster.explore.strategy_api import WHOLE, Footprint

_OF_ENTRIES = (Walk, SetDirty)


class Footprints:
    """Tells footprints; resources are numbered as they are met."""

    def __init__(self) -> None:
        """Start with no resource known."""
        self._bits: dict[Hashable, int] = {}

    def of(self, machine: Machine, message: Message) -> Footprint:
        """Say what a machine would touch."""
        if isinstance(machine, Memory):
            return self._of_memory(message)
        # else a walk may begin a fault, which touches anything
        if isinstance(machine, Vm) and machine.settings.fine and isinstance(message, _OF_ENTRIES):
            return Footprint(writes=self._set([(message.asid, message.vpn)]))
        return WHOLE

    def _of_memory(self, m: Message) -> Footprint:
        if isinstance(m, Load | DmaLoad):
            return Footprint(reads=self._set(pfn for _, pfn in m.items))
        if isinstance(m, PageOut):
            return Footprint(reads=self._set(m.pfns))
        if isinstance(m, CopyChunk):
            return Footprint(reads=self._set([m.src]), writes=self._set([m.dst]))
        written: Iterable[int]
        if isinstance(m, Store | DmaStore):
            written = (pfn for _, pfn, _ in m.items)
        elif isinstance(m, ZeroChunk):
            written = m.pfns
        elif isinstance(m, ChunkData):
            written = [m.dst]
        elif isinstance(m, FillFrame | SwapData):
            written = [m.pfn]
        elif isinstance(m, Free):
            # the free list, too: who allocates next must not come between
            return Footprint(writes=self._set([*m.pfns, "free"]))
        else:
            return WHOLE
        return Footprint(writes=self._set(written))

    def _set(self, resources: Iterable[Hashable]) -> int:
        bits = 0
        for resource in resources:
            bits |= 1 << self._bits.setdefault(resource, len(self._bits))
        return bits
