"""Random sequences for the corpus, without outcomes: `record.py` finds those out.

HOLE and ZERO (the tagged pairs of calls that stand for them) among everything that may meet them:
calls that fail, mremap, mlock, shared memory, forks and what they inherit.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Operation = dict[str, Any]

#: how often a sequence of each class makes each operation
_WEIGHTS: dict[str, dict[str, int]] = {
    "mixed": {"hole": 6, "zero": 6, "prot": 3, "map": 3, "unmap": 2, "remap": 3, "lock": 2}
    | {
        "unlock": 1,
        "adv": 4,
        "fork": 1,
        "exit": 1,
        "mincore": 3,
        "r": 12,
        "w": 12,
        "kr": 2,
        "kw": 2,
    },
    "fails": {"hole": 6, "zero": 6, "prot": 5, "map": 2, "unmap": 5, "adv": 4, "mincore": 3}
    | {"r": 10, "w": 10, "kr": 2, "kw": 2, "lock": 2},
    "moves": {"hole": 6, "zero": 6, "remap": 8, "map": 3, "unmap": 1, "prot": 2, "r": 12, "w": 12}
    | {"fork": 1, "mincore": 3, "adv": 2},
    "locks": {"hole": 6, "zero": 6, "lock": 6, "unlock": 3, "map": 2, "prot": 2, "r": 10, "w": 10}
    | {"fork": 1, "adv": 4, "mincore": 2, "kr": 1, "kw": 1, "remap": 1},
    "shares": {"hole": 6, "zero": 6, "map": 4, "fork": 2, "prot": 2, "r": 14, "w": 14, "adv": 5}
    | {"remap": 2, "mincore": 2, "exit": 1, "lock": 1, "unlock": 1},
    "plain": {"prot": 3, "map": 4, "unmap": 2, "remap": 4, "lock": 2, "unlock": 1, "adv": 8}
    | {"fork": 2, "exit": 1, "mincore": 6, "r": 12, "w": 12, "kr": 2, "kw": 2},
}
_ADVICE = (
    *("FREE", "DONTNEED", "PAGEOUT", "REMOVE", "WIPEONFORK", "DONTFORK") * 2,
    *("COLD", "WILLNEED", "NORMAL", "DOFORK", "KEEPONFORK"),
    *("POPULATE_READ", "POPULATE_WRITE", "DONTNEED_LOCKED", "BOGUS"),
)
_ACCESSES = frozenset({"r", "w", "kr", "kw"})


def drawn(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield so many sequences, the same for the same seed."""
    classes = list(_WEIGHTS)
    for number in range(count):
        kind = classes[number % len(classes)]
        yield _Sequence(f"{kind}-{seed}-{number:05}", kind).drawn()


class _Sequence:
    """One sequence on the way."""

    def __init__(self, name: str, kind: str) -> None:
        self.random = random = Random(name)
        self.name, self.kind = name, kind
        self.pages = random.randint(3, 8)
        self.processes = random.choice((1, 2, 2, 3))
        self.alive, self.born, self.value = [0], 1, 100
        self.shared = {"shares": 0.6, "mixed": 0.25, "plain": 0.25}.get(kind, 0.1)
        self.crooked = {"fails": 0.2, "plain": 0.05}.get(kind, 0.02)

    def drawn(self) -> dict[str, Any]:
        random, weights = self.random, dict(_WEIGHTS[self.kind])
        ops = [self._map(0, self.pages)]
        length = random.randint(12, 45)
        while len(ops) < length and self.alive:
            (kind,) = random.choices(list(weights), list(weights.values()))
            ops += self._operations(kind, random.choice(self.alive))
        return {
            "id": self.name,
            "cls": self.kind,
            "pages": self.pages,
            "procs": self.processes,
            "ops": [{**one, "res": "ok"} for one in ops],
        }

    def _operations(self, kind: str, process: int) -> list[Operation]:
        if kind in _ACCESSES:
            return [self._access(kind, process)]
        if kind == "fork":
            return self._fork(process)
        if kind == "exit":
            if len(self.alive) == 1:
                return []
            self.alive.remove(process)
            return [{"p": process, "op": "exit"}]
        made: Callable[[int, dict[str, int]], list[Operation]] = getattr(self, f"_{kind}_range")
        return made(process, self._range())

    def _range(self) -> dict[str, int]:
        random = self.random
        page = random.randrange(self.pages)
        found = {"pg": page, "n": random.choice((1, 1, 2, 2, 3, self.pages))}
        found["n"] = min(found["n"], self.pages - page)
        if random.random() < self.crooked:
            found["boff"] = random.choice((16, 2048, 0))
            found["blen"] = random.choice((0, -found["n"] * 4096, 100, -100))
        return found

    def _access(self, kind: str, process: int) -> Operation:
        at = {"pg": self.random.randrange(self.pages), "slot": self.random.randrange(2)}
        if kind in ("w", "kw"):
            self.value += 1
            at["val"] = self.value
        return {"p": process, "op": kind, **at}

    def _fork(self, process: int) -> list[Operation]:
        if self.born == self.processes:
            return []
        self.alive.append(self.born)
        self.born += 1
        return [{"p": process, "op": "fork", "child": self.born - 1}]

    def _map(self, page: int, count: int, process: int = 0) -> Operation:
        kind = "shared" if self.random.random() < self.shared else "priv"
        prot = self.random.choice(("rw", "rw", "rw", "rw", "r", "none"))
        made = {"p": process, "op": "map", "pg": page, "n": count}
        return {**made, "prot": prot, "kind": kind}

    def _map_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        made = self._map(where["pg"], where["n"], process)
        return [{**made, **where}]

    def _unmap_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        return [{"p": process, "op": "unmap", **where}]

    def _prot_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        prot = self.random.choice(("rw", "rw", "r", "none"))
        return [{"p": process, "op": "prot", **where, "prot": prot}]

    def _lock_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        return [{"p": process, "op": "lock", **where}]

    def _unlock_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        return [{"p": process, "op": "unlock", **where}]

    def _mincore_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        return [{"p": process, "op": "mincore", **where}]

    def _adv_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        return [{"p": process, "op": "adv", **where, "advice": self.random.choice(_ADVICE)}]

    def _hole_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        free = {"p": process, "op": "adv", **where, "advice": "FREE", "tag": "hole1"}
        close = {"p": process, "op": "prot", **where, "prot": "none", "tag": "hole2"}
        return [free, close]

    def _zero_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        reopen = {"p": process, "op": "prot", **where, "prot": "rw", "tag": "zero1"}
        discard = {"p": process, "op": "adv", **where, "advice": "DONTNEED", "tag": "zero2"}
        return [reopen, discard]

    def _remap_range(self, process: int, where: dict[str, int]) -> list[Operation]:
        random = self.random
        where.pop("blen", None)  # a length of zero would duplicate shared memory
        count = min(random.choice((where["n"],) * 3 + (where["n"] + 1, 1)), self.pages)
        keep = int(random.random() < 0.3)
        to = random.randrange(max(1, self.pages - count + 1))
        return [{"p": process, "op": "remap", **where, "to": to, "newn": count, "dontunmap": keep}]
