"""What advice, mlock and munlock do to the memory of a range, by the manual pages."""

from collections.abc import Callable

from tests.reference.memory import EITHER, NO, NOT_COPIED, YES, Memory, Page, Process
from tests.reference.ranges import EBUSY, EFAULT, EINVAL, ENOMEM, INHERITS, reach
from tests.reference.rules import Rules
from tests.reference.world import Outcome, World, settled


def _nothing(_error: int) -> None:
    """Do nothing: what the call does to memory does not depend on its error."""


# HOLE and ZERO.


def hole(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_FREE_HOLE."""
    rules = world.rules
    found = reach(rules, process, span, verb)
    if any(page.private_file for page in [*found.pages, *found.passed]):
        return settled(EINVAL)
    for page in found.pages:
        memory = page.memory
        if rules.keeps:
            memory.reusable = memory.resident != NO
            continue
        unsure = world.is_locked_elsewhere(page) and memory.resident != NO
        if not rules.by_page or memory.resident != NO:
            memory.allow({0} | (memory.past if rules.older == "rewind" else set()))
            if page.shared or rules.by_page:
                memory.hole = True
            else:
                page.hole = True
            page.closed_for = frozenset({world.caller})
            if unsure:
                memory.unsure_hole = True
        memory.resident = EITHER if memory.resident != NO else NO
    return settled(found.error)


def zero(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_FREE_ZERO; without HOLE it does that first."""
    rules = world.rules
    found = reach(rules, process, span, verb)
    seen = [*found.pages, *found.passed]
    if any(page.private_file for page in seen):
        return settled(EINVAL)
    stays = [page for page in found.passed if page.memory.resident == YES]
    may_stay = [page for page in seen if page.locked or world.is_locked_elsewhere(page)]
    sure = [page for page in stays if not (page.memory.hole or page.hole or page.memory.reusable)]
    left = [page for page in found.pages if page.older and rules.older != "punch"]
    errors = {EINVAL} if sure else {found.error}
    if may_stay:
        errors |= {EINVAL}
    if left and not sure:  # left alone; or locked by a relative that has the same copy
        errors |= {EINVAL} if found.error else {EBUSY, EINVAL}

    def effect(error: int) -> None:
        for page in [*found.pages, *may_stay]:
            memory = page.memory
            if page in sure:
                continue
            kept = memory.all_values() if error and (page in left or page in may_stay) else set()
            if page.older and rules.older == "rewind":
                kept |= memory.past
            hole = memory.hole and bool(kept)
            memory.zero()
            memory.allow(kept)
            memory.hole = hole and rules.by_page
            memory.unsure_hole = False
            page.hole = False
            memory.resident = EITHER

    return errors, effect


def reuse(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_FREE_REUSE of XNU: memory is in use again, as it is."""
    found = reach(world.rules, process, span, verb)
    for page in found.pages:
        page.shown.reusable = False
    return settled(found.error)


# Other advice.


def free(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_FREE: PAGEOUT, or lack of memory, drops it until it is stored to."""
    found = reach(world.rules, process, span, verb)
    for page in found.pages:
        if page.private_file and world.rules.older != "rewind":
            continue
        memory = page.shown
        if page.older and not page.shared and world.rules.older == "punch":
            memory.allow({0})
            memory.resident = EITHER if memory.resident != NO else NO
        elif not page.older or world.rules.older == "rewind":
            memory.lazy = page.private_file or page.place is None or page.place[0][0] != "f"
    return settled(found.error)


def dontneed(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_DONTNEED, MADV_DONTNEED_LOCKED."""
    found = reach(world.rules, process, span, verb)
    for page in found.pages:
        if page.shared or world.rules.keeps_dontneed:
            continue
        discard(page, world.rules)
    return settled(found.error)


def remove(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_REMOVE."""
    found = reach(world.rules, process, span, verb)
    held = [page for page in found.pages if world.is_locked_elsewhere(page)]
    mind = bool(held) and world.rules.errors != "linux"  # and what is before it may be spared
    for page in found.pages:
        memory = page.memory
        hole, kept = memory.hole and world.rules.fatal, memory.all_values() if mind else set()
        memory.zero()
        memory.allow(kept)
        memory.hole = hole
        memory.resident = EITHER if mind else NO
    return ({found.error, EINVAL}, _nothing) if mind else settled(found.error)


def pageout(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_PAGEOUT, without swap: what may be dropped is."""
    found = reach(world.rules, process, span, verb)
    for page in found.pages:
        memory = page.shown
        in_hole = memory.hole and world.rules.by_page
        if memory.lazy or memory.reusable or in_hole:
            page.may_show_file = page.private_file
            memory.allow(
                {0, memory.on_disk} | (memory.past if world.rules.older == "rewind" else set())
            )
            memory.resident = EITHER
    return settled(found.error)


def hint(world: World, process: Process, span: range, verb: str) -> Outcome:
    """Advice that changes nothing that a guest sees."""
    return settled(reach(world.rules, process, span, verb).error)


def inherit(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_DONTFORK and its like."""
    found = reach(world.rules, process, span, verb)
    what = "none" if verb in ("dontfork", "dofork") else "zero"
    for page in found.pages:
        undone = page.inherits - {what}
        page.inherits = undone if verb in ("dofork", "keeponfork") else undone | {what}
    return settled(found.error)


# Memory that is made resident.


def populate(world: World, process: Process, span: range, verb: str) -> Outcome:
    """MADV_POPULATE_READ, MADV_POPULATE_WRITE."""
    write, errors = verb == "populate-write", set[int]()
    for number in span:
        page = process.pages.get(number)
        if page is None:
            if world.rules.errors == "freebsd":
                continue
            return errors | {ENOMEM if world.rules.errors == "linux" else EINVAL}, _nothing
        if not page.permits(write=write) or world.is_closed(page):
            errors |= {EINVAL}
            if not world.may_be_closed(page):
                return errors, _nothing
        if world.is_beyond(page):
            return errors | {EFAULT}, _nothing
        touch(page, write=write, may_be=bool(errors))
    return errors | {0}, _nothing


def lock(world: World, process: Process, span: range, verb: str) -> Outcome:
    """mlock(2)."""
    found = reach(world.rules, process, span, verb)
    fresh = [page for page in found.pages if not page.locked]
    errors = {found.error}
    for page in found.pages if not found.error else ():
        if not page.permits(write=False) or world.is_closed(page) or world.is_beyond(page):
            errors |= {ENOMEM}
            if not world.may_be_closed(page):
                errors.remove(0)
                break
        write = page.permits(write=True) and not page.shared
        touch(page, write=write, may_be=ENOMEM in errors)

    def effect(error: int) -> None:
        for page in fresh:
            page.locked = world.rules.errors == "linux" or not error

    return errors, effect


def unlock(world: World, process: Process, span: range, verb: str) -> Outcome:
    """munlock(2)."""
    found = reach(world.rules, process, span, verb)
    for page in found.pages:
        page.locked = False
    return settled(found.error)


def touch(page: Page, *, write: bool, may_be: bool = False) -> Memory:
    """Have a page in memory; a store's is the process's own. may_be: or not, nobody can tell."""
    memory = page.own() if write else page.shown
    memory.resident = EITHER if may_be and memory.resident != YES else YES
    if write:
        memory.lazy = False
    return memory


def discard(page: Page, rules: Rules) -> None:
    """Let private memory go: it is zero, or what the file holds."""
    page.older = False
    if page.private_file:
        page.memory = NOT_COPIED
        return
    page.memory = Memory()
    if not rules.fatal:
        page.hole = False


ADVICE: dict[str, Callable[[World, Process, range, str], Outcome]] = {
    "hole": hole,
    "zero": zero,
    "madv-reuse": reuse,
    "free": free,
    "dontneed": dontneed,
    "dontneed-locked": dontneed,
    "remove": remove,
    "pageout": pageout,
    **dict.fromkeys(("normal", "random", "sequential", "willneed", "cold"), hint),
    **dict.fromkeys(INHERITS, inherit),
    **dict.fromkeys(("populate-read", "populate-write"), populate),
    "lock": lock,
    "unlock": unlock,
}
