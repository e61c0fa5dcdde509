"""What each memory system call of a recording becomes."""

from collections.abc import Callable
from typing import TypeVar

from actors.guest.program import Prot, Protect, Unmap
from cluster.importers.memory.address_space import RELEASABLE, Kind, Mapping
from cluster.importers.memory.pairs import CLOSED, DONTNEED, FREE, OPENED
from cluster.importers.memory.process_memory import READ_WRITE, ProcessMemory
from cluster.importers.recording import linux
from cluster.importers.recording.recorded import Call
from kernel.units import PAGE_SHIFT, VPN_LIMIT, page_span

#: calls that may complete the release that the thread's previous call began
_JOINING = frozenset({"mprotect", "pkey_mprotect", "madvise"})
_WRITE, _NONE = int(Prot.WRITE), int(Prot.NONE)
_Sort = TypeVar("_Sort", bool, Kind | None)


def translate_call(memory: ProcessMemory, call: Call) -> None:
    """Do what a returned call did; a failed one is taken to have done nothing."""
    if linux.failed(call.result):
        memory.tally.left_out[f"failed.{call.name}"] += 1
        return
    if call.name not in _JOINING:
        memory.releases.next_call(memory.streams.thread(call.tid))
    _CALLS[call.name](memory, call)


def _pages(memory: ProcessMemory, call: Call, va: int, length: int) -> tuple[int, int] | None:
    """Return the pages of a call's range; None (and counted) if there is no such range."""
    start, end = page_span(va, length)
    if start >= end or end > VPN_LIMIT:
        memory.tally.left_out[f"no_such_range.{call.name}"] += 1
        return None
    return start, end


def x86_rights(prot: int) -> int:
    """Return the rights that a page table can express: whatever may be touched may be read."""
    rights = prot & linux.PROT_BITS
    return rights | linux.PROT_READ if rights else rights


def _mmap(memory: ProcessMemory, call: Call) -> None:
    _, length, prot, flags = call.args[:4]
    pages = _pages(memory, call, call.result, length)
    if pages is None:
        return
    if flags & linux.MAP_TYPE in (linux.MAP_SHARED, linux.MAP_SHARED_VALIDATE):
        kind = Kind.SHARED
        memory.tally.approximated["shared_map"] += 1
    elif not flags & linux.MAP_ANONYMOUS:
        kind = Kind.FILE
        memory.tally.approximated["file_map"] += 1
    else:
        kind = Kind.STACK if flags & linux.MAP_STACK else Kind.ANONYMOUS
    if flags & linux.MAP_POPULATE:
        memory.tally.left_out["unsupported.populate"] += 1
    memory.map(call, *pages, Mapping(x86_rights(prot), kind))
    memory.touch_after_grant(call, *pages)


def _munmap(memory: ProcessMemory, call: Call) -> None:
    pages = _pages(memory, call, *call.args[:2])
    if pages is not None:
        _unmap(memory, call, *pages)


def _unmap(memory: ProcessMemory, call: Call, start: int, end: int) -> None:
    memory.touch_before_unmap(call, start, end)
    unmap = Unmap(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT)
    memory.operate(call, unmap, start, end)
    memory.space.remove(start, end)
    memory.releases.end(start, end)


def _brk(memory: ProcessMemory, call: Call) -> None:
    asked, space = call.args[0], memory.space
    # brk(2) fails by returning the break as it was
    if asked and asked != call.result:
        memory.tally.left_out["failed.brk"] += 1
    before, after = space.break_page, page_span(call.result, 0)[1]
    if after > VPN_LIMIT:
        memory.tally.left_out["no_such_range.brk"] += 1
        return
    space.break_page = after
    if before is None:
        return
    if after > before:
        memory.map(call, before, after, Mapping(READ_WRITE, Kind.ANONYMOUS))
        memory.touch_after_grant(call, before, after)
    elif after < before:
        _unmap(memory, call, after, before)


def _mremap(memory: ProcessMemory, call: Call) -> None:
    old_va, old_length, new_length, flags = call.args[:4]
    new = _pages(memory, call, call.result, new_length)
    if new is None:
        return
    start, old_end = page_span(old_va, old_length)
    found = memory.space.find(start)
    mapping = found[2] if found else Mapping(READ_WRITE, Kind.IMPLIED)
    if new[0] == start:
        if new[1] > old_end:
            memory.map(call, old_end, new[1], mapping)
        elif new[1] < old_end:
            _unmap(memory, call, new[1], old_end)
        return
    memory.tally.left_out["contents.mremap_moved"] += 1
    if start < old_end and flags & linux.MREMAP_DONTUNMAP:
        # the old range stays mapped and is empty from now on
        memory.map(call, start, old_end, mapping)
    elif start < old_end:
        _unmap(memory, call, start, old_end)
    memory.map(call, *new, mapping)


def _madvise(memory: ProcessMemory, call: Call) -> None:
    va, length, advice = call.args[:3]
    if advice not in (linux.MADV_FREE, linux.MADV_DONTNEED, linux.MADV_POPULATE_WRITE):
        name = linux.ADVICE_NAMES.get(advice, f"advice_{advice}")
        memory.releases.next_call(memory.streams.thread(call.tid))
        memory.tally.left_out[f"unsupported.{name}"] += 1
        return
    pages = _pages(memory, call, va, length)
    if pages is None:
        return
    memory.imply(call, *pages)
    if advice == linux.MADV_POPULATE_WRITE:
        memory.write_all(call, *pages)
        return
    how, name = (FREE, "free") if advice == linux.MADV_FREE else (DONTNEED, "dontneed")
    for start, end, kind in _stretches(memory, pages, _not_releasable):
        if kind is None:
            memory.release(call, start, end, how)
        else:
            memory.tally.left_out[f"{kind.name.lower()}_{name}"] += 1


def _not_releasable(mapping: Mapping) -> Kind | None:
    return None if mapping.kind in RELEASABLE else mapping.kind


def _releases(mapping: Mapping) -> bool:
    """Say whether PROT_NONE of such memory is a release."""
    return bool(mapping.prot & _WRITE) and mapping.kind in RELEASABLE


def _stretches(
    memory: ProcessMemory, pages: tuple[int, int], sort: Callable[[Mapping], _Sort]
) -> list[tuple[int, int, _Sort]]:
    """Cut a range into stretches of mappings of one sort."""
    found: list[tuple[int, int, _Sort]] = []
    for low, high, mapping in memory.space.pieces(*pages):
        one = sort(mapping)
        if found and found[-1][1:] == (low, one):
            found[-1] = (found[-1][0], high, one)
        else:
            found.append((low, high, one))
    return found


def _mprotect(memory: ProcessMemory, call: Call) -> None:
    pages = _pages(memory, call, *call.args[:2])
    if pages is None:
        return
    memory.imply(call, *pages)
    prot = x86_rights(call.args[2])
    if prot:
        _open(memory, call, pages, prot)
    else:
        _close(memory, call, pages)


def _open(memory: ProcessMemory, call: Call, pages: tuple[int, int], prot: int) -> None:
    """Grant rights: what was released by PROT_NONE is reused, the rest is a plain mprotect."""
    at = pages[0]
    for start, end in memory.releases.closed(*pages):
        if at < start:
            _protect(memory, call, at, start, prot)
        memory.releases.next_call(memory.streams.thread(call.tid))
        memory.reuse(call, start, end, OPENED)
        if prot != READ_WRITE:
            _protect(memory, call, start, end, prot)
        at = end
    if at < pages[1]:
        _protect(memory, call, at, pages[1], prot)
    memory.space.set_prot(*pages, prot)
    memory.touch_after_grant(call, *pages)


def _close(memory: ProcessMemory, call: Call, pages: tuple[int, int]) -> None:
    """Take all rights away: for writable anonymous memory that is a release."""
    for start, end, released in _stretches(memory, pages, _releases):
        if released:
            memory.release(call, start, end, CLOSED)
        else:
            _protect(memory, call, start, end, _NONE)
    memory.space.set_prot(*pages, _NONE)


def _protect(memory: ProcessMemory, call: Call, start: int, end: int, prot: int) -> None:
    memory.releases.next_call(memory.streams.thread(call.tid))
    protect = Protect(start << PAGE_SHIFT, (end - start) << PAGE_SHIFT, prot)
    memory.operate(call, protect, start, end)


_CALLS: dict[str, Callable[[ProcessMemory, Call], None]] = {
    "mmap": _mmap,
    "munmap": _munmap,
    "mprotect": _mprotect,
    "pkey_mprotect": _mprotect,
    "madvise": _madvise,
    "brk": _brk,
    "mremap": _mremap,
}
