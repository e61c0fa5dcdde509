"""Calls that make, move and end mappings, and whole processes."""

from tests.reference.memory import EITHER, NO, NOT_COPIED, Memory, Page, Process
from tests.reference.ranges import EFAULT, EINVAL, reach
from tests.reference.world import Outcome, World, settled


def span_of(words: list[str]) -> range:
    """Return the pages of a range."""
    start = int(words[0], 0)
    return range(start, start + int(words[1], 0))


def map_memory(world: World, process: Process, words: list[str]) -> Outcome:
    """mmap(MAP_FIXED): of anonymous memory or a file, shared or private."""
    span = span_of(words)
    prot = next((word for word in words[2:] if word in ("none", "r", "rw")), "rw")
    shared = "shared" in words
    file = next((word for word in words if word.startswith("file:")), "")
    number, _, first = file.removeprefix("file:").partition("+")
    name = f"f{int(number, 0)}" if file else f"s{len(world.sizes)}"
    if shared and not file:
        world.sizes[name] = len(span)
    for index, at in enumerate(span):
        place = (name, index + (int(first, 0) if first else 0))
        memory = world.shared(place) if shared or file else Memory()
        page = process.pages[at] = Page(prot, memory, shared=shared)
        page.place = place if shared or file else None
        if file and not shared:
            page.file, page.memory = memory, NOT_COPIED
    return settled(0)


def unmap(_world: World, process: Process, words: list[str]) -> Outcome:
    """munmap(2)."""
    for number, _ in list(process.mapped(span_of(words))):
        del process.pages[number]
    return settled(0)


def protect(world: World, process: Process, words: list[str]) -> Outcome:
    """mprotect(2)."""
    found = reach(world.rules, process, span_of(words), "protect")
    for page in found.pages:
        page.prot = words[2]
    return settled(found.error)


def move(world: World, process: Process, words: list[str]) -> Outcome:
    """mremap(MREMAP_FIXED), as Linux has it."""
    keep = words[-1] == "keep"
    old = span_of(words)
    place = words[3:-1] if keep else words[3:]
    count = int(place[1], 0) if len(place) > 1 else len(old)
    new = range(int(place[0], 0), int(place[0], 0) + count)
    resized = len(new) != len(old)
    if (new.start < old.stop and old.start < new.stop) or (keep and resized):
        return settled(EINVAL)
    kept = [process.pages.get(number) for number in old[: len(new)]]
    if kept[0] is None or (resized and not _one_kind(kept)):
        return settled(EFAULT)
    several = resized and len({page.place and page.place[0] for page in kept if page}) > 1

    def effect(error: int) -> None:
        if not error:
            _moved(world, process, (old, new), keep=keep)

    return {0, EFAULT} if several else {0}, effect


def _one_kind(pages: list[Page | None]) -> bool:
    kinds = {page and (page.prot, page.shared, page.locked, page.inherits) for page in pages}
    return None not in kinds and len(kinds) == 1


def _moved(world: World, process: Process, places: tuple[range, range], *, keep: bool) -> None:
    old, new = places
    for number, page in list(process.mapped(old)):
        del process.pages[number]
        if number - old.start < len(new):
            process.pages[number - old.start + new.start] = page
        if not keep:
            continue
        left = page.like(page.memory if page.shared else Memory())
        if page.private_file:
            left.memory = NOT_COPIED
        left.closed_for = page.closed_for
        process.pages[number] = left
    for number in new[len(old) :]:
        last = process.pages[number - 1]
        grown = last.like(Memory())
        grown.locked = last.locked
        if last.place is not None:
            grown.place = (last.place[0], last.place[1] + 1)
            grown.memory = world.shared(grown.place)
        if last.private_file:
            grown.file, grown.memory = grown.memory, NOT_COPIED
        if last.locked:
            grown.shown.resident = EITHER
        process.pages[number] = grown


def fork(world: World, process: Process, words: list[str]) -> Outcome:
    """Let the child have copies of what its parent has, and what is shared."""
    child = world.processes[world.threads[int(words[0])][0]]
    for number, page in process.pages.items():
        if "none" in page.inherits:
            continue
        if "zero" in page.inherits:
            fresh = page.like(Memory())
            fresh.shared, fresh.file, fresh.place = False, None, None
            child.pages[number] = fresh
            continue
        child.pages[number] = _forked(world, page)
    return settled(0)


def _forked(world: World, page: Page) -> Page:
    if page.shared:
        twin = page.like(page.memory)
        twin.closed_for = page.closed_for
        return twin
    if page.memory is NOT_COPIED:
        return page.like(NOT_COPIED)
    memory = page.memory
    if page.hole and not world.rules.child_shares:  # its pages go; each has a hole of its own
        page.older = False
        twin = page.like(Memory())
        memory.allow({0})
        twin.memory.allow(memory.all_values())
        twin.hole, twin.closed_for = True, page.closed_for
        return twin
    memory.past |= memory.all_values()
    if memory.resident == NO:
        memory.resident = EITHER
    twin = page.like(memory.copy())
    twin.hole, twin.closed_for = page.hole, page.closed_for
    page.older = twin.older = True
    return twin


def end(_world: World, process: Process, _words: list[str]) -> Outcome:
    """exit_group(2) and execve(2): nothing is mapped any more."""
    process.pages.clear()
    return settled(0)
