"""Versions of contents: which store, of which thread, a granule holds.

A stamp names a store by its place in the guest's program (thread, instruction index, element of
the access run), so no counter is needed; a device's store is named by the instruction that asked
for the transfer. No two stores have the same name. 0 is zeroed memory; `JUNK` is memory that nobody
has written or zeroed since power-on; a file's page that nobody has written holds a stamp of its
own, below JUNK. So an older value is told from a lost one (0) and from a foreign one.
Source: FreeBSD bug 240061, where an older value came back (SOURCES.md H-25).
"""

from collections.abc import Callable

ZERO = 0
JUNK = -1
_ELEMENT_BITS = 20
_INDEX_BITS = 26
_FILE_PAGE_BITS = 36
#: most elements of one access run
ELEMENTS_MAX = 1 << _ELEMENT_BITS


def stamp(thread: int, index: int, element: int) -> int:
    """Return the name of the store by element `element` of instruction `index` of `thread`.

    Fits 63 bits for 131,071 threads, 67 million instructions a thread, a million elements a run.
    """
    return ((thread + 1) << _INDEX_BITS | index) << _ELEMENT_BITS | element


def writer(value: int) -> tuple[int, int, int]:
    """Return (thread, index, element) of the stamp of a store."""
    element = value & ((1 << _ELEMENT_BITS) - 1)
    value >>= _ELEMENT_BITS
    return (value >> _INDEX_BITS) - 1, value & ((1 << _INDEX_BITS) - 1), element


def file_stamp(file: int, page: int) -> int:
    """Return the stamp of what a page of a file holds from the start."""
    return JUNK - 1 - (file << _FILE_PAGE_BITS | page)


def stamp_text(value: int, thread_name: Callable[[int], str] = "t{}".format) -> str:
    """Render a stamp: `0`, `junk`, a file's page (`file3+0x12`), or a store, as `t3#17.2`."""
    if value == ZERO:
        return "0"
    if value == JUNK:
        return "junk"
    if value < JUNK:
        file, page = divmod(JUNK - 1 - value, 1 << _FILE_PAGE_BITS)
        return f"file{file}+{page:#x}"
    thread, index, element = writer(value)
    name = f"{thread_name(thread)}#{index}"
    return f"{name}.{element}" if element else name
