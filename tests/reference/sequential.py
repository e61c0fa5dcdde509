"""What a guest must see whose instructions come one after another: values, signals, errors.

The reference reads the guest's lines itself, and follows what the machine answered: where several
answers are right it goes on with the one that was given. It knows mappings, copies and holes; no
frames, page tables, caches or messages, and nothing of the machines.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tests.reference.advice import ADVICE, touch
from tests.reference.mappings import end, fork, map_memory, move, protect, span_of, unmap
from tests.reference.memory import NO, Page, Process
from tests.reference.ranges import EFAULT, reach
from tests.reference.rules import Rules
from tests.reference.world import Outcome, World

MAPERR, ACCERR, HOLE, OBJECT = 1, 2, 3, 4
GRANULE, CELLS = 16, 256
_PAGE = GRANULE * CELLS

#: what a thread saw: ("load", value), ("store", name), ("segv", page, code), ("call", error),
#: ("vec", "101")
Event = tuple[str, *tuple[object, ...]]


class Differs(Exception):  # noqa: N818 - it says what it means
    """The machine has shown something that is not right."""


class Elements(NamedTuple):
    """The accesses of one instruction."""

    write: bool
    #: (page, granule) of each
    places: list[tuple[int, int]]
    #: name of the store of the first; the others follow
    name: int


class Reference:
    """Everything that the guest can know, and what it must see next."""

    def __init__(
        self, rules: Rules, threads: list[tuple[int, int]], files: Callable[[int, int], int]
    ) -> None:
        """Start with nothing mapped.

        threads: process and core of each; files: what a page of a file holds, by file and page.
        """
        self.rules = rules
        self.world = World(rules, threads, files)

    def step(self, thread: int, line: str, name: int, seen: deque[Event]) -> None:
        """Take in one instruction and what the thread saw of it.

        name: of the instruction's first store.

        Raises:
            Differs: that is not right.
        """
        verb, *words = line.split()
        world = self.world
        world.caller = thread
        process = world.processes[world.threads[thread][0]]
        if verb in _ACCESSES:
            elements = _elements(verb, words, name)
            copies = verb.startswith("copy")
            (self._copy if copies else self._access)(process, thread, elements, seen)
        elif verb in _SILENT:
            return
        else:
            self._call(process, verb, words, seen)

    # Accesses.

    def _access(
        self, process: Process, thread: int, elements: Elements, seen: deque[Event]
    ) -> None:
        for index, (number, granule) in enumerate(elements.places):
            page = process.pages.get(number)
            codes = self._refusals(page, thread, write=elements.write)
            event = _next(seen)
            if event[0] == "segv":
                _must(event[1:] in [(number, code) for code in codes if code], event, codes)
                continue
            _must(0 in codes, event, [f"segv {code}" for code in codes])
            assert page is not None
            self._done(page, granule, elements, index, event)

    def _done(self, page: Page, granule: int, elements: Elements, index: int, event: Event) -> None:
        memory = touch(page, write=elements.write)
        if elements.write:
            _must(event == ("store", elements.name + index), event, "a store")
            memory.write(granule, elements.name + index)
            if self.rules.mapped_goes_on and self.world.is_closed(page):
                memory.allow({0})  # the zeroing thread may come to it
            return
        values = page.values(granule)
        _must(event[0] == "load" and event[1] in values, event, sorted(values))
        memory.found(granule, int(str(event[1])))

    def _refusals(self, page: Page | None, thread: int, *, write: bool) -> set[int]:
        """Return the signals that an access may get; 0 among them if it may succeed."""
        if page is None:
            return {MAPERR}
        if not page.permits(write=write):
            return {ACCERR}
        if self.world.is_closed(page):
            core = self.world.threads[thread][1]
            own = any(self.world.threads[one][1] == core for one in page.closed_for)
            late = self.rules.deferred and not own
            return {0, HOLE} if late or self.world.may_be_closed(page) else {HOLE}
        return {OBJECT} if self.world.is_beyond(page) else {0}

    def _copy(self, process: Process, thread: int, elements: Elements, seen: deque[Event]) -> None:
        for index, (number, granule) in enumerate(elements.places):
            page = process.pages.get(number)
            codes = self._refusals(page, thread, write=elements.write)
            if seen and seen[0][0] == "call" and any(codes):
                _must(seen[0] == ("call", EFAULT), _next(seen), "EFAULT")
                return
            event = _next(seen)
            _must(0 in codes, event, "EFAULT")
            assert page is not None
            self._done(page, granule, elements, index, event)
        _expect_call(_next(seen), {0})

    # Calls.

    def _call(self, process: Process, verb: str, words: list[str], seen: deque[Event]) -> None:
        if verb == "release":
            verb = self.rules.release
        elif verb == "reuse":
            verb = self.rules.reuse
        if not verb:
            return  # the preset has no call for it
        if verb == "incore":
            self._incore(process, span_of(words), seen)
            return
        if verb in _MAPPINGS:
            errors, effect = _MAPPINGS[verb](self.world, process, words)
        else:
            errors, effect = ADVICE[verb](self.world, process, span_of(words), verb)
        effect(_expect_call(_next(seen), errors))

    def _incore(self, process: Process, span: range, seen: deque[Event]) -> None:
        found = reach(self.rules, process, span, "incore")
        event = _next(seen)
        if found.error:
            _expect_call(event, {found.error})
            return
        pages = [process.pages.get(number) for number in span]
        allowed = [NO if page is None else page.shown.resident for page in pages]
        vec = str(event[1])
        right = len(vec) == len(allowed) and all(b in a for b, a in zip(vec, allowed, strict=True))
        _must(event[0] == "vec" and right, event, allowed)
        _expect_call(_next(seen), {0})


def _elements(verb: str, words: list[str], name: int) -> Elements:
    page, _, granule = words[0].partition(".")
    first = int(page, 0) * _PAGE + (int(granule, 0) if granule else 0) * GRANULE
    count = int(words[1], 0) if len(words) > 1 else 1
    stride = int(words[2], 0) if len(words) > 2 else _PAGE
    at = [first + index * stride for index in range(count)]
    places = [(one // _PAGE, one % _PAGE // GRANULE) for one in at]
    return Elements(verb in ("store", "copyout"), places, name)


def _next(seen: deque[Event]) -> Event:
    if not seen:
        raise Differs("nothing was seen")
    return seen.popleft()


def _must(right: bool, event: Event, expected: object) -> None:
    if not right:
        raise Differs(f"saw {event}, right is {expected}")


def _expect_call(event: Event, errors: set[int]) -> int:
    _must(event[0] == "call" and event[1] in errors, event, f"one of the errors {sorted(errors)}")
    return int(str(event[1]))


_ACCESSES = frozenset({"load", "store", "copyin", "copyout"})
_SILENT = frozenset({"await", "create", "fence", "think", "exit"})
_MAPPINGS: dict[str, Callable[[World, Process, list[str]], Outcome]] = {
    "map": map_memory,
    "unmap": unmap,
    "protect": protect,
    "move": move,
    "fork": fork,
    "exec": end,
    "quit": end,
}
