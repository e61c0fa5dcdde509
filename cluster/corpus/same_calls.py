"""Calls that recording and machine make alike: what becomes of the pages of both."""

from collections.abc import Callable

from cluster.corpus.paired_pages import Contents, PairedPage
from cluster.corpus.paired_processes import (
    Expected,
    Operation,
    PairedProcess,
    Processes,
    moved_to,
)

#: advice about forks: what it adds to a page and takes away
_INHERITANCE = {
    "DONTFORK": ({"DONTFORK"}, set[str]()),
    "DOFORK": (set[str](), {"DONTFORK"}),
    "WIPEONFORK": ({"WIPEONFORK"}, set[str]()),
    "KEEPONFORK": (set[str](), {"WIPEONFORK"}),
}


def _map(
    processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    if operation["res"] == "ok":
        number = processes.new_object()
        process.parted.difference_update(pages)
        for index, at in enumerate(pages):
            cell = (number, index) if operation["kind"] == "shared" else None
            process.pages[at] = PairedPage(operation["prot"], processes.contents(cell), cell)
    return operation, True


def _unmap(
    _processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    if operation["res"] == "ok":
        process.parted.difference_update(pages)
        for at, _ in list(process.mapped(pages)):
            del process.pages[at]
    return operation, True


def _protect(
    _processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    for page in process.before_gap(pages):
        process.stored_apart |= page.protect(operation["prot"])
        page.machine = operation["prot"]
    return operation, True


def _lock(
    _processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    locked = operation["op"] == "lock"
    found = list(process.before_gap(pages))
    for page in found:
        page.locked = locked
    if not locked or len(found) < len(pages):  # with a gap, nothing is faulted in
        return operation, True
    return operation, _populated(found, write=False)


def _populated(found: list[PairedPage], *, write: bool) -> bool:
    """Note that pages are faulted in up to the first that cannot be; say if both do the same."""
    same = all(page.agrees(write=write) for page in found)
    for page in found:
        if same and not page.allows(write=write):
            break
        if same:
            page.contents.loaded()
        else:
            page.contents.residency_unknown = True
    return same


def _mincore(
    _processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    vec = operation.get("vec", "")
    unknown = {at for at, page in process.mapped(pages) if page.contents.residency_unknown}
    if not unknown or not vec:
        return operation, True
    known = [(bit, pages.start + i not in unknown) for i, bit in enumerate(vec)]
    found = ["".join(bit if sure else either for bit, sure in known) for either in "01"]
    return {**operation, "altvec": [*operation.get("altvec", ()), *found]}, True


def _advise(
    _processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    advice = operation["advice"]
    if advice.startswith("POPULATE"):
        write = advice == "POPULATE_WRITE"
        return operation, _populated(list(process.before_gap(pages)), write=write)
    if advice in _INHERITANCE:
        on, off = _INHERITANCE[advice]
        wipes = advice == "WIPEONFORK"
        for page in process.reached(pages, lambda page: wipes and page.cell is not None)[1]:
            page.inheritance = page.inheritance - off | on
    elif advice in _DISCARDED:
        for page in process.reached(pages, _REFUSED[advice])[1]:
            if _DISCARDED[advice](page):
                page.contents.discarded()
    return operation, True


def freed(process: PairedProcess, pages: range, *, discarded: bool) -> None:
    """Note MADV_FREE in both.

    discarded: the machine may discard at once what the recording keeps.
    """
    refused = process.reached(pages, lambda page: page.locked or page.cell is not None)
    for page in refused[1]:
        page.contents.freed(discarded=discarded)


#: advice -> pages that it ends at
_REFUSED: dict[str, Callable[[PairedPage], bool]] = {
    "DONTNEED": lambda page: page.locked,
    "DONTNEED_LOCKED": lambda _page: False,
    "REMOVE": lambda page: page.locked or page.cell is None,
}
#: advice -> pages that it discards
_DISCARDED: dict[str, Callable[[PairedPage], bool]] = {
    "DONTNEED": lambda page: page.cell is None,
    "DONTNEED_LOCKED": lambda page: page.cell is None,
    "REMOVE": lambda _page: True,
}


def _remap(
    processes: Processes, process: PairedProcess, operation: Operation, pages: range
) -> Expected:
    new = moved_to(operation)
    if not pages:
        if operation["res"] == "ok":
            _shown_twice(processes, process, pages.start, new)
        return operation, True
    kept = [process.pages.get(at) for at in pages[: len(new)]]
    kinds = {None if page is None else page.kind for page in kept}
    one_kind = len(kinds) == 1 and None not in kinds
    moves = kept[:1] != [None] and (one_kind or len(new) == len(pages))
    if operation["res"] == "ok" and not moves:
        process.parted.update(pages, new)
        return None, False
    if operation["res"] == "EFAULT" and moves and any(_differs(page) for page in kept):
        return None, False  # of one kind on the machine only
    if operation["res"] == "ok":
        keep = bool(operation["dontunmap"])
        if keep:
            process.unlock_around(pages, new)
        _move(processes, process, (pages, new), keep=keep)
        process.stored_apart = True  # Linux keeps what has moved apart from its new neighbours
    return operation, True


def _shown_twice(processes: Processes, process: PairedProcess, start: int, new: range) -> None:
    """Show what shared memory has from a page on at a second place, too."""
    first = process.pages[start]
    assert first.cell is not None, "private memory is refused"
    for index, at in enumerate(new):
        cell = first.cell[0], first.cell[1] + index
        shown = process.pages[at] = first.with_contents(processes.contents(cell))
        shown.cell, shown.locked = cell, first.locked


def _differs(page: PairedPage | None) -> bool:
    return page is not None and page.recorded != page.machine


def _move(
    processes: Processes, process: PairedProcess, places: tuple[range, range], *, keep: bool
) -> None:
    pages, new = places
    for at, page in list(process.mapped(pages)):
        del process.pages[at]
        if at - pages.start < len(new):
            process.pages[at - pages.start + new.start] = page
        if keep:
            contents = Contents() if page.cell is None else page.contents
            process.pages[at] = page.with_contents(contents)
    for at in new[len(pages) :]:
        last = process.pages[at - 1]
        cell = None if last.cell is None else (last.cell[0], last.cell[1] + 1)
        grown = process.pages[at] = last.with_contents(processes.contents(cell))
        grown.cell, grown.locked = cell, last.locked
        grown.contents.residency_unknown |= last.locked


def fork(processes: Processes, process: PairedProcess, operation: Operation) -> None:
    """Give the child what it inherits."""
    child = processes.by_number[operation["child"]] = PairedProcess()
    child.parted = process.parted.copy()
    apart = child.stored_apart = process.stored_apart or any(
        page.recorded != page.machine for page in process.pages.values()
    )
    for at, page in process.pages.items():
        if "DONTFORK" in page.inheritance:
            continue
        contents = page.contents
        if page.cell is None and "WIPEONFORK" in page.inheritance:
            contents = Contents()
            contents.unsure = page.contents.hole
        elif page.cell is None:
            contents = contents.forked(apart=apart)
        child.pages[at] = page.with_contents(contents)


def exit_process(processes: Processes, _process: PairedProcess, operation: Operation) -> None:
    """Let a process end."""
    del processes.by_number[operation["p"]]


Call = Callable[[Processes, PairedProcess, Operation, range], Expected]
#: calls about a range
CALLS: dict[str, Call] = {
    "map": _map,
    "unmap": _unmap,
    "prot": _protect,
    "lock": _lock,
    "unlock": _lock,
    "mincore": _mincore,
    "adv": _advise,
    "remap": _remap,
}
