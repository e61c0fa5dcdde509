"""Random guests whose instructions come one after another, in one or several processes."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

PAGES = 4
#: pages that mremap moves to, and that accesses try
_BEYOND = range(PAGES + 1, PAGES + 5)
#: threads: (process, core) of each, the first one initial
_SHAPES = (
    ((0, 0),),
    ((0, 0),),
    ((0, 0), (0, 1)),
    ((0, 0), (1, 1)),
    ((0, 0), (1, 0)),
    ((0, 0), (0, 1), (1, 1)),
    ((0, 0), (1, 1), (2, 0)),
    ((0, 0), (1, 1), (1, 0), (2, 1)),
)
_WEIGHTS = {
    "store": 16, "load": 20, "copyout": 2, "copyin": 3, "hole": 9, "zero": 9, "release": 3,
    "reuse": 3, "free": 4, "dontneed": 3, "protect": 4, "unmap": 2, "map": 4, "move": 4, "lock": 3,
    "unlock": 2, "incore": 3, "populate-read": 1, "populate-write": 2, "pageout": 2, "cold": 1,
    "remove": 2, "wipeonfork": 1, "dontfork": 1, "keeponfork": 1, "dofork": 1, "normal": 1,
    "dontneed-locked": 1, "begin": 5, "end": 1,
}  # fmt: skip
#: longer than anything takes
_WAIT = "think 50000000"
_ENDS = frozenset({"quit", "exit"})
_ACCESSES = frozenset({"store", "load", "copyout", "copyin"})
_MAPPINGS = ("", "", "", "", " r", " none", " shared", " shared", " file:0", " file:0 shared")


class Guest(NamedTuple):
    """A guest, and the order of its instructions."""

    name: str
    #: process and core of each thread; the first one is there from the start
    threads: tuple[tuple[int, int], ...]
    #: thread and instruction, in order
    order: tuple[tuple[int, str], ...]
    #: by instruction, those that it awaits, by their places in `order`; empty: the one before
    after: tuple[tuple[int, ...], ...] = ()
    #: after each store
    fences: bool = True

    def programs(self) -> tuple[list[list[str]], list[tuple[int, int]]]:
        """Return each thread's lines, and where in its program each of `order` is.

        Each instruction awaits those that `after` names, or else the one before it. Nothing can
        await the end of a process, so time passes.
        """
        programs: list[list[str]] = [[] for _ in self.threads]
        places: list[tuple[int, int]] = []
        #: the last line of each of `order`, with its fence
        ends: list[tuple[int, int]] = []
        ended = False
        for number, (thread, line) in enumerate(self.order):
            program = programs[thread]
            before = self.after[number] if self.after else self._one_before(number)
            awaited = dict(sorted(ends[one] for one in before if ends[one][0] != thread))
            program += [f"await {other} {index}" for other, index in awaited.items()]
            if ended:
                program.append(_WAIT)
            program.append(line)
            places.append((thread, len(program) - 1))
            if self.fences and line.split()[0] in ("store", "copyout"):
                program.append("fence")
            ends.append((thread, len(program) - 1))
            ended = line in _ENDS
        return programs, places

    def _one_before(self, number: int) -> list[int]:
        before = [one for one in range(number) if self.order[one][1] not in _ENDS]
        return before[-1:]


def guests(seed: int, count: int) -> Iterator[Guest]:
    """Yield so many guests, the same for the same seed."""
    for number in range(count):
        yield drawn(f"{seed}/{number}")


def drawn(name: str) -> Guest:
    """Draw one guest by its name."""
    random = Random(name)
    return _Drawing(random, random.choice(_SHAPES)).guest(name)


class Drawing:
    """A guest on the way: which of its threads have begun, and its processes."""

    def __init__(self, random: Random, threads: tuple[tuple[int, int], ...]) -> None:
        """Start with the first thread."""
        self.random = random
        self.threads = threads
        self.alive = [0]
        self.unborn = list(range(1, len(threads)))
        self.begun = {threads[0][0]}

    def begin(self, thread: int) -> str:
        """Begin a thread of the caller's process, or a child; its other threads come later."""
        process = self.threads[thread][0]
        for other in self.unborn:
            there = self.threads[other][0]
            if there == process or there not in self.begun:
                self.unborn.remove(other)
                self.begun.add(there)
                self.alive.append(other)
                return f"{'create' if there == process else 'fork'} {other}"
        return ""


class _Drawing(Drawing):
    def guest(self, name: str) -> Guest:
        random = self.random
        order = [(0, f"map 1 {PAGES}{random.choice(_MAPPINGS)}")]
        length = random.randint(5, 25)
        thread = 0
        while len(order) < length and self.alive:
            if random.random() < 0.3:
                thread = random.choice(self.alive)
            if thread not in self.alive:
                continue_with = random.choice(self.alive)
                thread = continue_with
            (verb,) = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            line = self._line(verb, thread)
            if line:
                order.append((thread, line))
        return Guest(name, self.threads, tuple(order))

    def _line(self, verb: str, thread: int) -> str:
        random = self.random
        if verb == "begin":
            return self.begin(thread)
        if verb == "end":
            return self._end(thread)
        page = random.randint(1, PAGES)
        if random.random() < 0.12:
            page = random.choice(_BEYOND)
        if verb in _ACCESSES:
            many = random.choice(("", "", "", f" {random.randint(2, 3)}", " 2 2048"))
            return f"{verb} {page}.{random.choice((0, 0, 200))}{many}"
        span = f"{page} {random.choice((1, 1, 2, PAGES))}"
        if verb == "protect":
            return f"{verb} {span} {random.choice(('none', 'r', 'rw', 'rw'))}"
        if verb == "map":
            return f"{verb} {span}{random.choice(_MAPPINGS)}"
        if verb == "move":
            to = random.choice((*_BEYOND, random.randint(1, PAGES)))
            resized = random.choice(("", "", f" {random.randint(1, 3)}"))
            return f"{verb} {span} to {to}{resized}{random.choice(('', '', ' keep'))}"
        return f"{verb} {span}"

    def _end(self, thread: int) -> str:
        verb = self.random.choice(("quit", "exit", "exec"))
        process = self.threads[thread][0]
        ends = [one for one in self.alive if self.threads[one][0] == process]
        if verb == "exec":
            ends.remove(thread)
        if verb == "exit":
            ends = [thread]
        if len(ends) >= len(self.alive) and verb != "exec":
            return ""
        self.alive = [one for one in self.alive if one not in ends]
        if verb != "exit":  # nobody begins in a process that has ended
            self.unborn = [one for one in self.unborn if self.threads[one][0] != process]
        return verb
