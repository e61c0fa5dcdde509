"""Who may touch a frame: it has a life from each time that memory hands it out until it is freed.

An access goes by a translation, kernel work (zeroing, say) by an order of the vm: both are good for
the life that the frame had when the vm gave them, and for no later one.
"""

from collections.abc import Iterable
from typing import Self

from cluster.properties.canonical import Part, Retained

#: a page of an address space at a core: `core << _CORE_SHIFT | asid << ASID_SHIFT | vpn`
_CORE_SHIFT = 64
_VA_MASK = (1 << _CORE_SHIFT) - 1


class Frames(Part):
    """Lives of frames, and for which of them translations and orders were given."""

    __slots__ = ("alive", "begun", "coming", "fills", "known", "orders")

    def __init__(self, zero_pages: Iterable[int]) -> None:
        """Begin with every frame free, but for those that are zero for ever."""
        super().__init__()
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
        #: by core and page: the frames of translations, each with its life, youngest first. An
        #: older one may be in the TLB when a younger was not loaded: a flush had killed its walk
        self.fills: dict[int, tuple[int, ...]] = {}

    # Memory.

    def handed_out(self, pfn: int) -> bool:
        """Note that memory sends a frame; say whether it was free."""
        was_free = pfn not in self.alive
        self.alive.add(pfn)
        self.begun[pfn] = self.coming[pfn] = self.begun.get(pfn, 0) + 1
        return was_free

    def freed(self, pfn: int) -> bool:
        """Note that memory takes a frame back; say whether it was not free yet."""
        was_alive = pfn in self.alive
        self.alive.discard(pfn)
        return was_alive

    def is_of(self, pfn: int, life: int | None) -> bool:
        """Say whether a frame lives the life that somebody thinks it does."""
        return pfn in self.alive and self.begun[pfn] == life

    # The vm.

    def arrived(self, pfn: int) -> None:
        """Note that a vm takes a frame in."""
        self.known[pfn] = self.coming.pop(pfn)

    def ordered(self, lane: int, pfns: Iterable[int]) -> None:
        """Note that a vm tells a lane to work on frames."""
        known = self.known
        self.orders[lane] = {pfn: known.get(pfn, 0) for pfn in pfns}

    def filled(self, core: int, va: int, pfn: int) -> None:
        """Note that a vm sends a translation of a page (`asid << ASID_SHIFT | vpn`) to a core."""
        at = core << _CORE_SHIFT | va
        fills = self.fills.get(at, ())
        fill: tuple[int, ...] = (pfn, self.known.get(pfn, 0))
        if fills:
            older = self._living(fills)
            fill = (*fill, *(n for one in older if one[0] != pfn for n in one))
        self.fills[at] = fill

    def _living(self, fills: tuple[int, ...]) -> list[tuple[int, int]]:
        """List the translations, with their lives, whose frames have not been freed since."""
        pairs = zip(fills[::2], fills[1::2], strict=True)
        return [one for one in pairs if self.is_of(*one)]

    # Use.

    def may_work(self, op: int, pfn: int) -> bool:
        """Say whether a lane was told to work on a frame, in the life that it has."""
        return self.is_of(pfn, self.orders.get(op, {}).get(pfn))

    def may_access(self, core: int, va: int, pfn: int) -> bool:
        """Say whether a core was sent a translation to a frame, in the life that it has."""
        fills = self.fills.get(core << _CORE_SHIFT | va, ())
        alive = pfn in self.alive
        for place in range(0, len(fills), 2):
            if fills[place] == pfn and alive and fills[place + 1] == self.begun[pfn]:
                return True
        return False

    def what_is(self, pfn: int) -> str:
        """Say what a frame is that is not what somebody thinks."""
        return "is another page's by now" if pfn in self.alive else "is free"

    def forget(self) -> None:
        """Forget translations of lives that are over: such a life never comes again."""
        alive, begun = self.alive, self.begun
        over = [
            at
            for at, fills in self.fills.items()
            if (fills[0] not in alive or fills[1] != begun[fills[0]]) and not self._living(fills)
        ]
        for at in over:
            del self.fills[at]

    # For exploring.

    def copy(self) -> Self:
        """Copy the containers."""
        twin = type(self)(())
        twin.begun = self.begun.copy()
        twin.alive = self.alive.copy()
        twin.coming = self.coming.copy()
        twin.known = self.known.copy()
        twin.orders = self.orders.copy()
        twin.fills = self.fills.copy()
        return twin

    def retained(self) -> Retained:
        """Return what a later verdict may depend on: a life that is over never comes again."""
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
                    (at >> _CORE_SHIFT, at & _VA_MASK, pfn)
                    for at, fills in self.fills.items()
                    for pfn, _ in self._living(fills)
                )
            ),
        )
