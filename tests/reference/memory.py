"""Memory, as a reader of manual pages knows it: what each granule may hold, and who maps it.

A value is the name of a store, 0, or a negative number for what a file holds. There are no frames,
objects or page tables: a fork copies, a mapping of shared memory shows the same `Memory`.
"""

from collections.abc import Iterable, Iterator

Values = frozenset[int]
ZERO: Values = frozenset({0})
#: whether a page is resident, as mincore may find it
NO, YES, EITHER = "0", "1", "01"


class Memory:
    """A page of memory."""

    def __init__(self, fill: int = 0) -> None:
        """Start with all granules alike, and nothing resident."""
        #: what the file holds, where a page of it that was dropped is read again
        self.on_disk = fill
        self.fill: Values = frozenset({fill})
        self.granules: dict[int, Values] = {}
        #: values that a fork has left below
        self.past: set[int] = set()
        #: in a hole that shared memory itself remembers, or that only its page remembers
        self.hole = False
        self.resident = NO
        #: somebody had locked it when the hole was made: it may be in none
        self.unsure_hole = False
        #: MADV_FREE may have dropped it: PAGEOUT does
        self.lazy = False
        #: XNU's reusable memory: PAGEOUT drops it, stored to or not
        self.reusable = False

    def copy(self) -> "Memory":
        """Copy it, as a fork or a store to a private page does."""
        twin = Memory()
        twin.fill, twin.granules = self.fill, self.granules.copy()
        twin.past = self.past.copy()
        twin.hole, twin.resident, twin.lazy = self.hole, self.resident, self.lazy
        twin.reusable = self.reusable
        return twin

    def read(self, granule: int) -> Values:
        """Return what a granule may hold."""
        return self.granules.get(granule, self.fill)

    def found(self, granule: int, value: int) -> None:
        """Note what a load has given."""
        if len(self.read(granule)) > 1 and value in self.read(granule) and not self.hole:
            self.granules[granule] = frozenset({value})

    def write(self, granule: int, value: int) -> None:
        """Store."""
        self.granules[granule] = frozenset({value, 0}) if self.hole else frozenset({value})
        self.lazy = False

    def allow(self, more: Iterable[int]) -> None:
        """Allow other values as well, everywhere."""
        extra = frozenset(more)
        self.fill |= extra
        self.granules = {at: values | extra for at, values in self.granules.items()}

    def zero(self) -> None:
        """Discard what it held: it is zero, and in no hole."""
        self.fill, self.granules = ZERO, {}
        self.hole = self.lazy = self.reusable = False

    def all_values(self) -> set[int]:
        """Return whatever it may hold anywhere."""
        return set(self.fill).union(*self.granules.values())


class Page:
    """A page of a process: what it shows, and with what rights."""

    def __init__(self, prot: str, memory: Memory, *, shared: bool = False) -> None:
        """Start as mmap makes it."""
        self.prot = prot
        self.memory = memory
        self.shared = shared
        #: private page of a file that shows the file until somebody stores
        self.file: Memory | None = None
        #: its own copy may have been dropped, so that the file shows again
        self.may_show_file = False
        #: where in its object shared memory is; None for private anonymous memory
        self.place: tuple[str, int] | None = None
        self.locked = False
        self.inherits: frozenset[str] = frozenset()
        #: the map remembers that it is in a hole
        self.hole = False
        #: a fork may have left an older copy below
        self.older = False
        #: threads whose core has invalidated; others may still get at a deferred hole
        self.closed_for: frozenset[int] = frozenset()

    def like(self, memory: Memory) -> "Page":
        """Copy it with other memory, not locked and in no hole."""
        twin = Page(self.prot, memory, shared=self.shared)
        twin.file, twin.place, twin.inherits = self.file, self.place, self.inherits
        return twin

    @property
    def private_file(self) -> bool:
        """Say whether it is a private mapping of a file."""
        return self.file is not None

    @property
    def shown(self) -> Memory:
        """Return the memory that a load sees."""
        if self.file is not None and self.memory is NOT_COPIED:
            return self.file
        return self.memory

    def own(self) -> Memory:
        """Return the memory that a store changes."""
        if self.file is not None and self.memory is NOT_COPIED:
            self.memory = self.file.copy()
            self.memory.hole = False
            if self.file.fill != ZERO:
                self.file.resident = YES  # it was read to be copied
            elif self.file.resident == NO:
                self.file.resident = EITHER  # what was zeroed need not be
        if self.file is not None and self.may_show_file:
            self.memory.allow(self.file.all_values())
            self.may_show_file = False
        return self.memory

    def values(self, granule: int) -> Values:
        """Return what a load of a granule may give."""
        found = self.shown.read(granule)
        if self.file is not None and self.may_show_file:
            found |= self.file.read(granule)
        return found

    def permits(self, *, write: bool) -> bool:
        """Say whether its protection permits an access."""
        return self.prot == "rw" or (self.prot == "r" and not write)


#: stands for the memory of a private page of a file that nobody has stored to
NOT_COPIED = Memory()


class Process:
    """What a process has mapped."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.pages: dict[int, Page] = {}

    def mapped(self, span: range) -> Iterator[tuple[int, Page]]:
        """Yield what is mapped of a range, ascending."""
        for number in span:
            page = self.pages.get(number)
            if page is not None:
                yield number, page

    def has_gap(self, span: range) -> bool:
        """Say whether something of a range is not mapped."""
        return any(number not in self.pages for number in span)

    def before_gap(self, span: range) -> range:
        """Return the part of a range before its first gap."""
        end = next((number for number in span if number not in self.pages), span.stop)
        return range(span.start, end)
