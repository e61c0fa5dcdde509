"""Versions of contents: which store, of which thread, a granule holds.

A stamp names the store by its place in the guest's program, so it needs no counter: thread,
instruction index and element of the access run. 0 is zeroed memory; `JUNK` is memory that nobody
has written or zeroed since power-on. Source: DESIGN section 4, "contents carry versions".
"""

from collections.abc import Callable

ZERO = 0
JUNK = -1
_ELEMENT_BITS = 20
_INDEX_BITS = 26
#: of one access run
ELEMENTS_MAX = 1 << _ELEMENT_BITS


def stamp(thread: int, index: int, element: int) -> int:
    """Name the store that element `element` of instruction `index` of `thread` makes.

    Fits 63 bits for 131,071 threads, 67 million instructions a thread, a million elements a run.
    """
    return ((thread + 1) << _INDEX_BITS | index) << _ELEMENT_BITS | element


def writer(value: int) -> tuple[int, int, int]:
    """Give (thread, index, element) of a stamp that is neither ZERO nor JUNK."""
    element = value & ((1 << _ELEMENT_BITS) - 1)
    value >>= _ELEMENT_BITS
    return (value >> _INDEX_BITS) - 1, value & ((1 << _INDEX_BITS) - 1), element


def stamp_text(value: int, thread_name: Callable[[int], str] = "t{}".format) -> str:
    """Render a stamp for a reader: `0`, `junk`, or the store that made it, as `t3#17.2`."""
    if value == ZERO:
        return "0"
    if value == JUNK:
        return "junk"
    thread, index, element = writer(value)
    name = f"{thread_name(thread)}#{index}"
    return f"{name}.{element}" if element else name
