"""Sizes and address arithmetic of the modelled machine.

Addresses are in bytes; a `vpn` is a virtual page number, a `pfn` a frame number, a granule the 16
bytes that one capability (and one version of contents) covers, and a `cell` a virtual granule
number: `va // GRANULE`.
"""

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
GRANULE = 16
CELL_SHIFT = 8
#: granules of one page
CELLS_PER_PAGE = PAGE_SIZE // GRANULE
CELL_MASK = CELLS_PER_PAGE - 1
#: one past the largest virtual page number of a 48-bit user address space
VPN_LIMIT = 1 << 36
#: a page of an address space as one number: `asid << ASID_SHIFT | vpn`
ASID_SHIFT = 40
VPN_MASK = (1 << ASID_SHIFT) - 1


def page_span(va: int, length: int) -> tuple[int, int]:
    """Return the pages `[start, end)` that hold a byte of `[va, va + length)`."""
    return va >> PAGE_SHIFT, (va + length + PAGE_SIZE - 1) >> PAGE_SHIFT
