"""Page-table entries as integers: `pfn << 8 | bits`.

Source: amd64 pmap (PG_V, PG_RW, PG_U, PG_A, PG_M). Absent entries are not stored; a present entry
without `U` is the `keep-pte` form of no access.
"""

P = 1  # present
W = 2  # writable
A = 4  # accessed
D = 8  # dirty (PG_M)
U = 16  # user code may use it
PFN_SHIFT = 8


def make(pfn: int, bits: int) -> int:
    """Build an entry."""
    return pfn << PFN_SHIFT | bits


def pfn_of(pte: int) -> int:
    """Return the frame number of an entry."""
    return pte >> PFN_SHIFT


def permits(pte: int, *, write: bool, kernel: bool = False) -> bool:
    """Say whether user code, or the kernel for it, may make this access through the entry.

    The kernel may whether or not user code may: clearing U does not stop it.
    """
    need = P if kernel else P | U
    need |= W if write else 0
    return pte & need == need


def bits_text(pte: int) -> str:
    """Render the bits for a reader: `PWADU` with dashes."""
    return "".join(c if pte & b else "-" for c, b in zip("PWADU", (P, W, A, D, U), strict=True))
