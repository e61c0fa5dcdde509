"""A sequence of the Linux corpus as a guest: one thread per process, each operation alone.

An operation by another process than the last waits for the last one, and each is followed by enough
time for all that it sets off. Operations that cannot be compared are counted by reason.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from actors.guest.program import (
    Access,
    Advice,
    Advise,
    Await,
    Copy,
    Fence,
    Fork,
    InCore,
    Instruction,
    Lock,
    Map,
    Move,
    Protect,
    Quit,
    Think,
    ThreadInfo,
    Unlock,
    Unmap,
)
from actors.guest.script import Script
from cluster.corpus.emulation import Emulation
from kernel.stamp import stamp
from kernel.units import PAGE_SIZE

LINUX = "linux"
HOLE_ZERO = "hole-zero"
#: when lazily freed pages are reclaimed: as recorded (MADV_PAGEOUT), never, as soon as possible, or
#: also at random between operations
AS_RECORDED, NEVER, ALWAYS, RANDOM = "recorded", "never", "always", "random"
#: page number of page 0 of a sequence
ARENA = 16
#: reason: the recorded emulation is no longer what the calls would do
DEPARTED = "the emulation of HOLE and ZERO departs"
#: reason: how much of a mapping is locked no longer agrees
UNLOCKED = "MREMAP_DONTUNMAP unlocks more on Linux"
#: time for everything that an operation sets off
_QUIET_NS = 100_000_000
_SLOT_BYTES = 2048
_PROT = {"none": 0, "r": 1, "rw": 3}
_BOGUS = 99
_ADVICE: dict[str, int] = {one.name: one for one in Advice}
_MERGED = {"hole1": Advice.HOLE, "zero1": Advice.ZERO}
_ACCESSES, _COPIES = frozenset("rw"), frozenset({"kr", "kw"})
#: probability that RANDOM reclaims before an operation
_CHANCE = 0.3

Operation = dict[str, Any]


class Plan:
    """The programs of a sequence's processes, and which of its operations they contain."""

    def __init__(self, sequence: dict[str, Any], way: str, reclaim: str, seed: int = 0) -> None:
        """Translate a sequence.

        way: LINUX, or HOLE_ZERO: pairs tagged as HOLE or ZERO become one call each.
        """
        self.programs: list[list[Instruction]] = [[] for _ in range(sequence["procs"])]
        #: in order: index in the sequence (-1: of no operation there), process, operation
        self.compared: list[tuple[int, int, Operation]] = []
        self.not_applicable: Counter[str] = Counter()
        #: stamp of each store -> the value that the corpus gives it
        self.values: dict[int, int] = {0: 0}
        self._way = way
        self._reclaim = reclaim
        self._random = Random(f"{seed} {sequence['id']}")
        self._pages = sequence["pages"]
        #: (thread, index) of the last operation
        self._last = (0, -1)
        #: pages that may be lazily freed, or were moved from a place that may have such pages
        self._lazy: set[int] = set()
        emulation = Emulation(merges=way == HOLE_ZERO)
        for index, operation in enumerate(sequence["ops"]):
            expected, said = emulation.expected(operation)
            if not said:
                self.not_applicable[DEPARTED if way == HOLE_ZERO else UNLOCKED] += 1
            if expected is not None:
                self._put(index if said else -1, expected)

    def guest(self) -> Script:
        """Return the guest."""
        threads = tuple(
            ThreadInfo(f"p{number}", number, number, initial=number == 0)
            for number in range(len(self.programs))
        )
        return Script(threads, tuple(map(tuple, self.programs)))

    def _put(self, index: int, operation: Operation) -> None:
        process = operation["p"]
        program = self.programs[process]
        if process != self._last[0]:
            program += (Await(*self._last), Think(_QUIET_NS))
        if operation.get("advice") == "PAGEOUT" and self._reclaim == NEVER:
            operation = {**operation, "advice": "COLD"}
        if self._reclaim == RANDOM and self._random.random() < _CHANCE:
            arena = Advise(ARENA * PAGE_SIZE, self._pages * PAGE_SIZE, Advice.PAGEOUT)
            program += (arena, Think(_QUIET_NS))
            self.compared.append((-1, process, {"op": "adv"}))
        operation = self._with_random_residency(operation)
        if operation["op"] in ("w", "kw"):
            self.values[stamp(process, len(program), 0)] = operation["val"]
        program.append(self._instruction(operation))
        if operation["op"] in ("w", "kw"):
            program.append(Fence())
        self._last = process, len(program) - 1
        program.append(Think(_QUIET_NS))
        self.compared.append((index, process, operation))

    def _with_random_residency(self, operation: Operation) -> Operation:
        """Allow mincore to find pages reclaimed at any time: lazily freed ones under RANDOM.

        Under ALWAYS any page: the page daemon takes clean ones, too, where Linux has the zero page.
        """
        if operation.get("advice") == "FREE":
            self._lazy.update(range(operation["pg"], operation["pg"] + operation["n"]))
        elif operation["op"] == "remap" and self._lazy:
            self._lazy.update(range(operation["to"], operation["to"] + operation["newn"]))
        if self._reclaim not in (RANDOM, ALWAYS) or "vec" not in operation:
            return operation
        bits = enumerate(operation["vec"], operation["pg"])
        every = self._reclaim == ALWAYS
        vec = "".join("0" if every or page in self._lazy else bit for page, bit in bits)
        return {**operation, "altvec": [*operation.get("altvec", ()), vec]}

    def _instruction(self, operation: Operation) -> Instruction:
        kind = operation["op"]
        if kind == "exit":
            return Quit()
        return Fork(operation["child"]) if kind == "fork" else self._on_memory(kind, operation)

    def _on_memory(self, kind: str, operation: Operation) -> Instruction:
        va = (ARENA + operation["pg"]) * PAGE_SIZE
        if kind in _ACCESSES:
            return Access(va + operation["slot"] * _SLOT_BYTES, 1, PAGE_SIZE, kind == "w")
        if kind in _COPIES:
            return Copy(va + operation["slot"] * _SLOT_BYTES, 1, PAGE_SIZE, kind == "kw")
        va += operation.get("boff", 0)
        length = operation["n"] * PAGE_SIZE + operation.get("blen", 0)
        if self._way == HOLE_ZERO and operation.get("tag") in _MERGED:
            return Advise(va, length, _MERGED[operation["tag"]])
        return _CALLS[kind](va, length, operation)


def _map(va: int, length: int, operation: Operation) -> Map:
    return Map(va, length, _PROT[operation["prot"]], operation["kind"] == "shared")


def _remap(va: int, length: int, operation: Operation) -> Move:
    to, new_length = (ARENA + operation["to"]) * PAGE_SIZE, operation["newn"] * PAGE_SIZE
    return Move(va, length, to, new_length, bool(operation["dontunmap"]))


_CALLS: dict[str, Callable[[int, int, Operation], Instruction]] = {
    "map": _map,
    "unmap": lambda va, length, _: Unmap(va, length),
    "prot": lambda va, length, op: Protect(va, length, _PROT[op["prot"]]),
    "lock": lambda va, length, _: Lock(va, length),
    "unlock": lambda va, length, _: Unlock(va, length),
    "mincore": lambda va, length, _: InCore(va, length),
    "remap": _remap,
    "adv": lambda va, length, op: Advise(va, length, _ADVICE.get(op["advice"], _BOGUS)),
}
