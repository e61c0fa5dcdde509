"""What the machine gives where its calls are not those of the recording.

The corpus emulates HOLE by FREE and PROT_NONE, ZERO by PROT_READ|PROT_WRITE and DONTNEED; on the
machine each pair is one real call. So for each page both are followed, each by its own rules:

    mprotect of a hole      opens it in the recording; a real hole stays one until ZERO
    HOLE or ZERO            sets the protection in the recording; real ones leave it alone
    ... across a gap        mprotect stops there; real ones do all that is mapped
    ... of locked memory    mprotect is done; real ones are EINVAL from there on
    ... of shared memory    FREE is EINVAL, DONTNEED keeps the contents, mprotect is the caller's
                            own; real ones are about the object, for all that map it
    MADV_FREE after a fork  leaves the copy alone in the recording; the machine may discard it

An access is made where it succeeds in both or fails in both, and compared where both have the same
contents.
In whichever way a recording runs, some things are Linux's own affair:

    locked, and writable from now   mprotect faults it in (populate_vma_page_range)
    MREMAP_DONTUNMAP of a part      unlocks all of a locked mapping (dontunmap_complete)
"""

from cluster.corpus.paired_processes import (
    Expected,
    Operation,
    PairedProcess,
    Processes,
    moved_to,
    pages_of,
)
from cluster.corpus.same_calls import CALLS, Call, exit_process, fork, freed

_RW = "rw"
#: calls after which a page is as if nothing had been there
_REPLACES = frozenset({"map", "unmap"})
_WHOLE = {"fork": fork, "exit": exit_process}
_STORES = frozenset({"w", "kw"})


class Emulation:
    """Follow the operations of a recording, in it and on the machine."""

    def __init__(self, *, merges: bool) -> None:
        """Start with one process that has nothing mapped.

        merges: the machine makes the real calls in place of tagged pairs.
        """
        self._merges = merges
        self._processes = Processes()

    def expected(self, operation: Operation) -> Expected:
        """Take in the next operation of the recording; return what the machine gives."""
        process = self._processes.by_number[operation["p"]]
        kind, tag = operation["op"], operation.get("tag", "") if self._merges else ""
        if kind in _WHOLE:
            _WHOLE[kind](self._processes, process, operation)
            return operation, True
        if "slot" in operation:
            return _access(process, operation)
        pages = pages_of(operation)
        if pages and kind not in _REPLACES and process.parted.intersection(pages):
            process.parted.update(pages, moved_to(operation))
            return None, False
        if tag:
            return _HALVES[tag](self._processes, process, operation, pages or range(0))
        if pages is None:
            return operation, True  # EINVAL, with nothing done
        if operation.get("advice") == "FREE":
            freed(process, pages, discarded=self._merges)
        return CALLS[kind](self._processes, process, operation, pages)


def _access(process: PairedProcess, operation: Operation) -> Expected:
    write, slot = operation["op"] in _STORES, operation["slot"]
    if operation["pg"] in process.parted:
        return None, False
    page = process.pages.get(operation["pg"])
    if page is None:
        return operation, True
    contents = page.contents
    if not page.agrees(write=write):
        contents.parted(slot, write=write)
        process.stored_apart |= write
        return None, False
    if not page.allows(write=write):
        return operation, True
    if write:
        contents.stored_to(slot)
        return operation, True
    contents.loaded()
    if slot in contents.dropped:
        operation = {**operation, "alt": [*operation.get("alt", ()), 0]}
    return operation, slot not in contents.unknown


# The pairs: the machine makes its call at the first half, and nothing at the second.


def _hole(
    processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    result, found = process.reached(pages, lambda page: page.locked)
    for page in found:
        page.contents.undefined(hole=True)
        page.contents.unsure = processes.locked_elsewhere(page)
    return _with_result(operation, result), True


def _closed(
    _processes: Processes, process: PairedProcess, _operation: Operation, pages: range
) -> Expected:
    for page in process.before_gap(pages):
        page.protect("none")
    return None, True


def _zero(
    processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    for page in process.before_gap(pages):
        process.stored_apart |= page.protect(_RW)
    result, found = process.reached(pages, lambda page: page.locked)
    for page in found:
        page.contents.undefined(hole=False)
        page.contents.unsure = processes.locked_elsewhere(page)
    process.zeroed = [page.contents for page in found]
    return _with_result(operation, result), not any(page.contents.unsure for page in found)


def _zeroed(
    _processes: Processes, process: PairedProcess, _operation: Operation, pages: range
) -> Expected:
    for page in process.reached(pages, lambda page: page.locked)[1]:
        if page.cell is None and page.contents in process.zeroed:
            page.contents.discarded()
            page.contents.residency_unknown = True  # the machine may have a page of zeros
    process.zeroed = []
    return None, True


def _with_result(operation: Operation, result: str) -> Operation:
    result = "EINVAL" if pages_of(operation) is None else result
    return {**{k: v for k, v in operation.items() if k != "altres"}, "res": result}


_HALVES: dict[str, Call] = {"hole1": _hole, "hole2": _closed, "zero1": _zero, "zero2": _zeroed}
