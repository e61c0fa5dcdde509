"""Random guests whose threads run at once and work apart: what conflicts is ordered by `await`.

Page N of a process is in one thread's hands at a time; who takes it over awaits the instruction
that was the last to touch it. Pages that processes share go from hand to hand among all of them.
So each thread sees what it would see if all instructions came in the order in which they are drawn.
"""

from random import Random

from tests.reference.guests import PAGES, Drawing, Guest

_SHAPES = (
    ((0, 0), (0, 1)),
    ((0, 0), (0, 1), (0, 0)),
    ((0, 0), (1, 1)),
    ((0, 0), (0, 1), (1, 1)),
    ((0, 0), (1, 1), (2, 0)),
    ((0, 0), (0, 1), (1, 0), (1, 1)),
)
_WEIGHTS = {
    "store": 18, "load": 22, "copyout": 2, "copyin": 2, "hole": 10, "zero": 10, "release": 3,
    "reuse": 3, "free": 4, "dontneed": 4, "protect": 5, "unmap": 3, "map": 4, "move": 3, "lock": 2,
    "unlock": 1, "populate-read": 1, "populate-write": 1, "pageout": 2, "remove": 2, "cold": 1,
    "wipeonfork": 1, "dontfork": 1, "dontneed-locked": 1, "begin": 5,
}  # fmt: skip
_ACCESSES = frozenset({"store", "load", "copyout", "copyin"})
_BEYOND = range(PAGES + 1, PAGES + 4)
_EVERYWHERE = range(1, PAGES + 5)

#: what instructions conflict about: a page of a process, or of memory that processes share
_Key = tuple[int, int]
_SHARED = -1


def drawn(name: str) -> Guest:
    """Draw one guest by its name."""
    random = Random(name)
    return _Drawing(random, random.choice(_SHAPES)).guest(name)


class _Drawing(Drawing):
    def __init__(self, random: Random, threads: tuple[tuple[int, int], ...]) -> None:
        super().__init__(random, threads)
        #: the instruction that was the last to touch each thing
        self.last: dict[_Key, int] = {}
        self.order: list[tuple[int, str]] = []
        self.after: list[tuple[int, ...]] = []
        #: shared memory stays at its pages, or memory moves, but not both: a page has one name
        self.shares = random.random() < 0.5

    def guest(self, name: str) -> Guest:
        random = self.random
        self._add(0, f"map 1 {PAGES}{self._mapping(1)}", range(1, PAGES + 1))
        length = random.randint(10, 30)
        while len(self.order) < length:
            thread = random.choice(self.alive)
            (verb,) = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            if verb == "begin":
                self._begin(thread)
            else:
                self._draw(thread, verb)
        return Guest(name, self.threads, tuple(self.order), tuple(self.after))

    def _add(self, thread: int, line: str, pages: range) -> None:
        process = self.threads[thread][0]
        keys = [(process, page) for page in pages] + [(_SHARED, page) for page in pages]
        if not self.shares:
            keys = keys[: len(pages)]
        number = len(self.order)
        self.after.append(tuple(sorted({self.last[key] for key in keys if key in self.last})))
        self.order.append((thread, line))
        self.last |= dict.fromkeys(keys, number)

    def _draw(self, thread: int, verb: str) -> None:
        random = self.random
        page = random.randint(1, PAGES)
        count = random.choice((1, 1, 1, 2, PAGES))
        if verb in _ACCESSES:
            self._add(thread, f"{verb} {page}.{random.choice((0, 200))}", range(page, page + 1))
            return
        span = range(page, min(page + count, _EVERYWHERE.stop))
        line = f"{verb} {page} {len(span)}"
        if verb == "protect":
            line += f" {random.choice(('none', 'r', 'rw', 'rw'))}"
        elif verb == "map":
            line += self._mapping(page)
        elif verb == "move":
            if self.shares:
                return
            to = random.choice(_BEYOND)
            count = min(len(span), _EVERYWHERE.stop - to)
            line = f"move {page} {count} to {to}{random.choice(('', ' keep'))}"
            span = range(page, to + count)
        self._add(thread, line, span)

    def _mapping(self, page: int) -> str:
        if not self.shares:
            return self.random.choice(("", "", "", " r"))
        return self.random.choice(("", " shared", f" file:0+{page} shared", f" file:0+{page}"))

    def _begin(self, thread: int) -> None:
        """Begin a thread, or a child: that has to do with all pages."""
        line = self.begin(thread)
        if not line:
            return
        verb, other = line.split()
        pages = _EVERYWHERE if verb == "fork" else range(0)
        self._add(thread, line, pages)
        for page in pages:
            self.last[self.threads[int(other)][0], page] = len(self.order) - 1
