"""Sequences for the corpus that were written by hand, in `written.txt`: what holes may meet.

A line has a name and operations, separated by semicolons; `1:` before one names its process:

    map PAGE COUNT PROT [shared]    unmap, hole, zero, lock, unlock, mincore PAGE COUNT
    prot PAGE COUNT PROT            remap PAGE COUNT PAGE COUNT [keep]
    ADVICE PAGE COUNT               r, w, kr, kw PAGE.SLOT
    fork PROCESS, exit              ... +BYTES: from so many bytes into the page
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Operation = dict[str, Any]

TEXT = Path(__file__).with_name("written.txt")
WRITTEN = dict(line.split(": ", 1) for line in TEXT.read_text("utf-8").splitlines())

_PAIRS = {
    "hole": (("adv", "FREE", "hole1"), ("prot", "none", "hole2")),
    "zero": (("prot", "rw", "zero1"), ("adv", "DONTNEED", "zero2")),
}
_ACCESSES = frozenset({"r", "w", "kr", "kw"})
_WORDS = {"adv": "advice", "prot": "prot"}


def written() -> Iterator[dict[str, Any]]:
    """Yield the sequences, without outcomes."""
    for name, text in WRITTEN.items():
        ops = [one for line in text.split(";") for one in _operations(line.split())]
        values = iter(range(101, 1000))
        ops = [{**one, "val": next(values)} if one["op"] in ("w", "kw") else one for one in ops]
        processes = 1 + max(one.get("child", 0) for one in ops)
        yield {
            "id": f"written-{name}",
            "cls": "written",
            "pages": 8,
            "procs": processes,
            "ops": ops,
        }


def _operations(words: list[str]) -> list[Operation]:
    process = int(words.pop(0)[:-1]) if words[0].endswith(":") else 0
    kind, *rest = words
    made: Operation = {"p": process, "op": kind, "res": "ok"}
    if kind in _ACCESSES:
        page, slot = rest[0].split(".")
        return [{**made, "pg": int(page), "slot": int(slot)}]
    if kind in ("fork", "exit"):
        return [{**made, "child": int(word)} for word in rest] or [made]
    crooked = {"boff": int(rest.pop()), "blen": 0} if rest[-1].startswith("+") else {}
    made |= {"pg": int(rest[0]), "n": int(rest[1]), **crooked}
    if kind in _PAIRS:
        pair = _PAIRS[kind]
        return [{**made, "op": op, _WORDS[op]: word, "tag": tag} for op, word, tag in pair]
    if kind == "map":
        return [{**made, "prot": rest[2], "kind": "shared" if rest[3:] else "priv"}]
    if kind == "prot":
        return [{**made, "prot": rest[2]}]
    if kind == "remap":
        return [{**made, "to": int(rest[2]), "newn": int(rest[3]), "dontunmap": len(rest) - 4}]
    return [made if kind.islower() else {**made, "op": "adv", "advice": kind}]
