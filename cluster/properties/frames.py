"""Who may touch a frame: it has a life from each time that memory hands it out until it is freed.

An access goes by a translation, kernel work (zeroing, say) by an order of the vm: both are good for
the life that the frame had when the vm gave them, and for no later one.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from actors.messages import CopyFrame, Load, PageIn, PageOut, ReadPage, Store, Taken, ZeroFrames
from cluster.properties.reports import Reports
from kernel.policy.promises import Property
from kernel.units import ASID_SHIFT

#: by message of a vm: the frames on which it tells a lane to work
ORDERS: dict[type, Callable[[Any], Iterable[int]]] = {
    Taken: lambda m: (pfn for _, pfn in m.pages),
    ZeroFrames: lambda m: (pfn for pfn, _ in m.frames),
    CopyFrame: lambda m: (m.src, m.dst),
    PageOut: lambda m: m.pfns,
    PageIn: lambda m: (m.pfn,),
    ReadPage: lambda m: (m.pfn,),
}


class Frames:
    """Lives of frames, and for which of them translations and orders were given."""

    def __init__(self, reports: Reports, zero_pages: Iterable[int] = ()) -> None:
        """Start with every frame free, but for those that are zero for ever."""
        self.reports = reports
        #: lives that each frame has begun
        self.begun = dict.fromkeys(zero_pages, 0)
        #: frames that are not free
        self.alive = set(self.begun)
        #: frames on their way to a vm, and the life that each begins there
        self.coming: dict[int, int] = {}
        #: the latest life of each frame that its vm knows of
        self.known: dict[int, int] = {}
        #: by lane: frames that it was told to work on, and their lives
        self.orders: dict[int, dict[int, int]] = {}
        #: by (core, asid << ASID_SHIFT | vpn): the frames of translations, and their lives. An
        #: older one may be in the TLB when a younger was not loaded: a flush had killed its walk
        self.fills: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}

    # Memory.

    def handed_out(self, op: int, pfn: int) -> None:
        """Memory sends a frame."""
        if pfn in self.alive:
            text = f"frame {pfn:#x} is handed out twice"
            self.reports.add(Property.ACCOUNT, text, 0, -1, (op,))
        self.alive.add(pfn)
        self.begun[pfn] = self.coming[pfn] = self.begun.get(pfn, 0) + 1

    def freed(self, op: int, pfn: int) -> None:
        """Memory takes a frame back."""
        if pfn not in self.alive:
            text = f"frame {pfn:#x} is freed twice"
            self.reports.add(Property.ACCOUNT, text, 0, -1, (op,))
        self.alive.discard(pfn)

    def is_of(self, pfn: int, life: int | None) -> bool:
        """Say whether a frame lives the life that somebody thinks it does."""
        return pfn in self.alive and self.begun[pfn] == life

    # The vm.

    def arrived(self, pfn: int) -> None:
        """A vm takes a frame in."""
        self.known[pfn] = self.coming.pop(pfn)

    def ordered(self, lane: int, pfns: Iterable[int]) -> None:
        """A vm tells a lane to work on frames."""
        self.orders[lane] = {pfn: self.known.get(pfn, 0) for pfn in pfns}

    def filled(self, core: int, va: int, pfn: int) -> None:
        """A vm sends a translation to a core."""
        fills = self.fills.get((core, va), ())
        older = tuple(one for one in fills if one[0] != pfn and self.is_of(*one)) if fills else ()
        self.fills[core, va] = ((pfn, self.known.get(pfn, 0)), *older)

    # Use.

    def check_work(self, op: int, pfn: int, what: str) -> None:
        """Kernel work is done on a frame by a lane."""
        if not self.is_of(pfn, self.orders.get(op, {}).get(pfn)):
            text = f"frame {pfn:#x} was {what}, but it {self.what_is(pfn)}"
            self.reports.add(Property.ISOLATE, text, 0, -1, (op,))

    def check_access(self, core: int, m: Load | Store, vpn: int, pfn: int) -> bool:
        """An access is made to a frame by the core's translation; say whether that is good."""
        for found, life in self.fills.get((core, m.asid << ASID_SHIFT | vpn), ()):
            if found == pfn and self.is_of(pfn, life):
                return True
        load = isinstance(m, Load)
        what = f"{'loaded from' if load else 'stored to'} as page {vpn:#x} of p{m.asid}"
        text = f"frame {pfn:#x} was {what}, but it {self.what_is(pfn)}"
        broken = Property.TRANSLATION if load else Property.ISOLATE
        self.reports.add(broken, text, m.asid, vpn, (m.op,))
        return False

    def what_is(self, pfn: int) -> str:
        """Say what a frame is that is not what somebody thinks."""
        return "is another page's by now" if pfn in self.alive else "is free"

    # For exploring.

    def copy(self, reports: Reports) -> "Frames":
        """Copy the containers."""
        twin = object.__new__(Frames)
        twin.reports = reports
        twin.begun = self.begun.copy()
        twin.alive = self.alive.copy()
        twin.coming = self.coming.copy()
        twin.known = self.known.copy()
        twin.orders = self.orders.copy()
        twin.fills = self.fills.copy()
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on: a life that is over never comes again."""
        is_of = self.is_of
        return (
            tuple(sorted(self.alive)),
            tuple(sorted(self.coming)),
            tuple(sorted(pfn for pfn, life in self.known.items() if is_of(pfn, life))),
            tuple(
                sorted(
                    (lane, pfn)
                    for lane, orders in self.orders.items()
                    for pfn, life in orders.items()
                    if is_of(pfn, life)
                )
            ),
            tuple(
                sorted(
                    (at, pfn)
                    for at, fills in self.fills.items()
                    for pfn, life in fills
                    if is_of(pfn, life)
                )
            ),
        )
