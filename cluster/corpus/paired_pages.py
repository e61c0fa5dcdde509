"""The pages of a recorded process, as the recording has them and as the machine has them.

The recording emulates HOLE and ZERO by pairs of calls, the machine makes the real ones. Both have
the same memory mapped and locked; protections, holes and contents may differ for a while.
"""

#: a page of the corpus has two words
SLOTS = (0, 1)
_READ, _WRITE = "r", "rw"

#: a shared object, and an index in it
Cell = tuple[int, int]


class Contents:
    """What is known of a page's memory: private to one mapping, or a cell of a shared object."""

    def __init__(self) -> None:
        """Start with memory that nobody has touched: zero in both."""
        #: the machine has it in a hole
        self.hole = False
        #: nobody can say whether the machine has it in a hole
        self.unsure = False
        #: slots of which the recording does not say what the machine has
        self.unknown: set[int] = set()
        #: slots that MADV_FREE may have dropped on the machine, though not in the recording
        self.dropped: set[int] = set()
        #: mincore may differ, until it is touched
        self.residency_unknown = False
        self.stored = False

    def forked(self, *, apart: bool) -> "Contents":
        """Copy it, for a child.

        apart: the two may not agree on whether its mapping was ever stored to.
        """
        twin = Contents()
        twin.__dict__.update(self.__dict__)
        twin.unknown, twin.dropped = self.unknown.copy(), self.dropped.copy()
        twin.residency_unknown |= apart and not self.stored
        return twin

    def discarded(self) -> None:
        """Note that it is zero in both, and not resident; a hole stays one."""
        self.unknown.clear()
        self.dropped.clear()
        self.stored = False
        self.residency_unknown = self.hole

    def freed(self, *, discarded: bool) -> None:
        """Note MADV_FREE in both; the machine may discard at once what the recording keeps."""
        self.stored = False
        if discarded:
            self.dropped.update(SLOTS)
            self.residency_unknown = True

    def parted(self, slot: int, *, write: bool) -> None:
        """Note an access that succeeds in one of them only."""
        self.residency_unknown = True
        if write:
            self.unknown.add(slot)

    def loaded(self) -> None:
        """Note a load in both."""
        self.residency_unknown = False

    def stored_to(self, slot: int) -> None:
        """Note a store in both."""
        self.unknown.discard(slot)
        self.dropped.discard(slot)
        self.residency_unknown = False
        self.stored = True

    def undefined(self, *, hole: bool) -> None:
        """Note that the machine has discarded it, or may at any time."""
        self.hole, self.unsure = hole, False
        self.unknown.update(SLOTS)
        self.dropped.clear()
        self.residency_unknown = True


class PairedPage:
    """A page of one process."""

    def __init__(self, prot: str, contents: Contents, cell: Cell | None = None) -> None:
        """Start with a protection that both have."""
        self.recorded = self.machine = prot
        self.contents = contents
        self.cell = cell
        self.locked = False
        #: advice about forks: DONTFORK, WIPEONFORK
        self.inheritance: frozenset[str] = frozenset()

    def with_contents(self, contents: Contents) -> "PairedPage":
        """Copy it, with other memory and not locked, as a child or MREMAP_DONTUNMAP has it."""
        twin = PairedPage(self.recorded, contents, self.cell)
        twin.machine = self.machine
        twin.inheritance = self.inheritance
        return twin

    def protect(self, prot: str) -> bool:
        """Let the recording protect it; say whether that faults it in, as if it was stored to.

        Linux does so with what is locked, and writable from now.
        """
        faults = self.locked and prot == _WRITE != self.recorded
        self.contents.residency_unknown |= faults
        self.recorded = prot
        return faults

    @property
    def kind(self) -> tuple[object, ...]:
        """Return what the machine's mremap of a range looks at if it changes the length."""
        return self.machine, self.locked, self.inheritance, self.cell is None

    def agrees(self, *, write: bool) -> bool:
        """Say whether an access succeeds in both, or fails in both."""
        return not self.contents.unsure and self.allows(write=write) == (
            _permits(self.recorded, write=write)
        )

    def allows(self, *, write: bool) -> bool:
        """Say whether an access succeeds on the machine."""
        return not self.contents.hole and _permits(self.machine, write=write)


def _permits(prot: str, *, write: bool) -> bool:
    return prot == _WRITE or (prot == _READ and not write)
