"""No stale translation: who may still hold an entry that is gone.

Knows every translation that `vm` sent to a core and not what the core did with it: the core may use
it until it flushed, unless its address space is not current there and its generation is zero (it
must flush before it uses anything). Flushes count only if they happened before what is judged.
"""

from collections.abc import Hashable
from typing import NamedTuple

from actors.messages import Translation
from actors.operation import OpKind
from actors.vm.machine import Vm
from cluster.properties.clocks import At, Clock
from cluster.properties.reports import Reports
from kernel import pte as pte_bits
from kernel.policy.promises import Property
from kernel.units import ASID_SHIFT, VPN_MASK


class Fill(NamedTuple):
    """A translation sent to a core: it may be cached there until `cleared`."""

    pfn: int
    writable: bool
    #: the vm's event that sent it
    sent: At
    #: the core's first flush that happened after that
    flushed: At | None = None
    #: the vm's word, later, that the core must flush before it uses anything
    ordered: At | None = None
    dirty: bool = False
    #: user code may use it, not only the kernel
    user: bool = True

    def is_good(self, pte: int) -> bool:
        """Say whether the page table, as it is now, gives all that the fill gives."""
        return (
            pte_bits.permits(pte, write=self.writable, kernel=not self.user)
            and pte_bits.pfn_of(pte) == self.pfn
            and not (self.dirty and not pte & pte_bits.D)
        )


def will_flush(vm: Vm, asid: int) -> int:
    """Give the cores, as a mask, that flush before they use an address space again.

    Those whose generation is zero, and which are to look at it yet: not active, or switching in.
    """
    pmap = vm.state.spaces[asid].pmap
    switching = 0
    for op in vm.state.in_flight.ops.values():
        if op.kind is OpKind.SWITCH and op.asid == asid and not op.own.within:
            switching |= 1 << op.by
    return ~pmap.gens & (~pmap.active | switching)


def _owed(vm: Vm, asid: int) -> set[int]:
    """Give the pages whose entries somebody has taken away, and not flushed yet."""
    owed = [op.flush.gone for op in vm.state.in_flight.ops.values()]
    owed += [one.gone for one in vm.state.deferrals.notes.values()]
    return {va & VPN_MASK for gone in owed for va, _ in gone if va >> ASID_SHIFT == asid}


class Translations:
    """The latest fill of each (asid, vpn) at each core, and removals that are not complete."""

    def __init__(self, reports: Reports, names: tuple[str, ...]) -> None:
        """Start with empty TLBs."""
        self.reports = reports
        self.names = names
        self.fills: dict[tuple[int, int], dict[int, Fill]] = {}
        #: where translations to each frame were given
        self.places: dict[int, dict[tuple[int, int], None]] = {}
        #: entries taken away by each lane and not yet reported as invalidated
        self.removed: dict[int, tuple[int, tuple[int, ...]]] = {}

    def filled(self, asid: int, core: int, m: Translation, vm: int, clock: Clock) -> None:
        """A vm sends a translation to a core."""
        user = bool(m.pte & pte_bits.U)
        writable = pte_bits.permits(m.pte, write=True, kernel=True)
        dirty = bool(m.pte & pte_bits.D)
        fill = Fill(pte_bits.pfn_of(m.pte), writable, At(vm, clock[vm]), dirty=dirty, user=user)
        self.fills.setdefault((asid, m.vpn), {})[core] = fill
        self.places.setdefault(fill.pfn, {})[asid, m.vpn] = None

    def flushed(self, core: int, asid: int, vpns: tuple[int, ...], clock: Clock) -> None:
        """A core dropped entries, and walks in flight for them."""
        at = At(core, clock[core])
        pages = vpns or [vpn for space, vpn in self.fills if space == asid]
        for vpn in pages:
            fill = self.fills.get((asid, vpn), {}).get(core)
            if fill is not None and fill.flushed is None and clock.knows(fill.sent):
                self.fills[asid, vpn][core] = fill._replace(flushed=at)

    def must_flush(self, core: int, asid: int, at: At) -> None:
        """A vm tells a core that switches in to flush: what it sent before is dead."""
        for (space, _), cores in self.fills.items():
            fill = cores.get(core)
            if space == asid and fill is not None and fill.ordered is None:
                cores[core] = fill._replace(ordered=at)

    def gone(self, op: int, asid: int, vpns: tuple[int, ...]) -> None:
        """An operation took entries away; its shootdown follows."""
        self.removed[op] = (asid, vpns)

    def completed(self, op: int, vm: Vm, clock: Clock, again: set[int]) -> None:
        """A shootdown is complete, so its initiator says: nobody may hold the entries.

        Entries that were made anew meanwhile (by a fault, or by a walk that set A again) are good.
        again: pages whose entries the same operation has taken away once more.
        """
        asid, vpns = self.removed.pop(op, (0, ()))
        again = again | _owed(vm, asid)
        for vpn in vpns:
            if vpn in again:
                continue
            fills = self.fills.pop((asid, vpn), {})
            pte = vm.state.spaces[asid].pmap.ptes.get(vpn, 0)
            good = {core: fill for core, fill in fills.items() if fill.is_good(pte)}
            self.fills[asid, vpn] = {core: f for core, f in fills.items() if core not in good}
            for core in self._holders(asid, vpn, vm, clock):
                text = (
                    f"the shootdown of page {vpn:#x} is complete, but {self.names[core]} "
                    "may still use its old entry"
                )
                self.reports.add(Property.TRANSLATION, text, asid, vpn, (op,))
            if good:
                self.fills[asid, vpn] = good
            else:
                del self.fills[asid, vpn]

    def freed(self, op: int, pfn: int, vm: Vm, clock: Clock) -> None:
        """A vm frees a frame."""
        for asid, vpn in self.places.pop(pfn, ()):
            for core in self._holders(asid, vpn, vm, clock, pfn):
                text = (
                    f"frame {pfn:#x} is freed while {self.names[core]} may map it as page {vpn:#x}"
                )
                self.reports.add(Property.TRANSLATION, text, asid, vpn, (op,))

    def background(self, op: int, pfn: int, vm: Vm, clock: Clock) -> None:
        """A vm lets the zeroing thread have a frame."""
        for asid, vpn in self.places.get(pfn, ()):
            for core in self._holders(asid, vpn, vm, clock, pfn):
                if self.fills[asid, vpn][core].writable:
                    text = (
                        f"page {vpn:#x} goes to the zeroing thread while {self.names[core]} "
                        "may map it writable"
                    )
                    self.reports.add(Property.TRANSLATION, text, asid, vpn, (op,))

    def _holders(self, asid: int, vpn: int, vm: Vm, clock: Clock, pfn: int = -1) -> list[int]:
        found = []
        for core, fill in self.fills.get((asid, vpn), {}).items():
            if pfn not in (-1, fill.pfn):
                continue
            if any(at is not None and clock.knows(at) for at in (fill.flushed, fill.ordered)):
                continue
            if not will_flush(vm, asid) >> core & 1:
                found.append(core)
        return sorted(found)

    def copy(self, reports: Reports) -> "Translations":
        """Copy the containers."""
        twin = Translations(reports, self.names)
        twin.fills = {page: cores.copy() for page, cores in self.fills.items()}
        twin.places = {pfn: places.copy() for pfn, places in self.places.items()}
        twin.removed = self.removed.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return (
            tuple(
                (page, tuple((c, tuple(f)) for c, f in sorted(cores.items())))
                for page, cores in sorted(self.fills.items())
            ),
            tuple((pfn, tuple(sorted(places))) for pfn, places in sorted(self.places.items())),
            tuple(sorted(self.removed.items())),
        )
