"""What a range of pages shows: values, and the keys of pages."""

import msgspec

from cluster.properties.clock import At

#: pages of a mapping: `mapping << MAPPING_SHIFT | page`; the page is where it was mapped first
MAPPING_SHIFT = 40
_INDEX_MASK = (1 << MAPPING_SHIFT) - 1
#: numbers of mappings that are shared files: FILES | file
FILES = 1 << 60
NO_FILE = -1
#: [first, end) of the keys of pages of files
EVERY_FILE = FILES << MAPPING_SHIFT, 2 * FILES << MAPPING_SHIFT
#: a call may have changed what children get, or not (`Shown.inherit`)
UNSURE = 1
#: the line of all that is shared; private memory's is the number of its address space
SHARED = -1


class Shown(msgspec.Struct, frozen=True, gc=False):
    """What a range of pages shows: page `vpn + shift` of a mapping, and over which file's page."""

    mapping: int
    shift: int
    shared: bool
    file: int
    file_shift: int
    #: what children of later forks get: INHERITED_ZERO and NOT_INHERITED of the map's entries, or
    #: that it is not known
    inherit: int
    #: the vm's events: the call arrived, it returned
    called: At
    since: At

    def page(self, vpn: int) -> int:
        """Return the key of a page."""
        return self.mapping << MAPPING_SHIFT | vpn + self.shift

    def line(self, asid: int) -> int:
        """Return the line that the pages belong to when this address space shows them."""
        return SHARED if self.shared else asid

    def file_page(self, vpn: int) -> int:
        """Return the key of the file's page that lies below, or NO_FILE."""
        if self.file == NO_FILE:
            return NO_FILE
        return (FILES | self.file) << MAPPING_SHIFT | vpn + self.file_shift


class Change(msgspec.Struct, frozen=True, gc=False):
    """A call in flight that changes the map of [start, end)."""

    asid: int
    start: int
    end: int
    called: At


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A call that was to change the map of [start, end), and changed nothing there.

    at: the vm's event in which it returned. Who knows that it was called, and not that, is in the
    position of one who accesses the pages while it is in flight.
    """

    change: Change
    at: At


def page_text(line: int, page: int) -> str:
    """Render the key of a page of a line."""
    mapping, index = split(page)
    if line != SHARED:
        return f"page {index:#x} of p{line}"
    if mapping & FILES:
        return f"page {index:#x} of file{mapping & ~FILES}"
    return f"page {index:#x} of shared memory"


def split(page: int) -> tuple[int, int]:
    """Return the mapping and the index of the key of a page: numbers of 64 bits at most."""
    return page >> MAPPING_SHIFT, page & _INDEX_MASK
