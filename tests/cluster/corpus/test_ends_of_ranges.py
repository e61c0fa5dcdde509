"""Lengths of 0, gaps and changed lengths: what Linux 6.18 answered, call by call."""

from typing import Any

import pytest

from cluster.corpus.judging import compare
from cluster.corpus.program import LINUX

#: what has no length
EMPTY = {"n": 1, "blen": -4096}
#: nothing, at an address within a page
WITHIN = {**EMPTY, "boff": 16}


def mapped(pg: int, n: int, kind: str = "priv") -> dict[str, Any]:
    return {"op": "map", "pg": pg, "n": n, "prot": "rw", "kind": kind, "res": "ok"}


def called(op: str, pg: int, res: str, **keys: object) -> dict[str, Any]:
    return {"op": op, "pg": pg, "n": 1, "res": res, **keys}


def advised(pg: int, advice: str, res: str) -> dict[str, Any]:
    return called("adv", pg, res, advice=advice)


def moved(pg: int, to: int, res: str, newn: int = 1, **keys: object) -> dict[str, Any]:
    return called("remap", pg, res, **{"to": to, "newn": newn, "dontunmap": 0, **keys})


def stored(pg: int, val: int) -> dict[str, Any]:
    return {"op": "w", "pg": pg, "slot": 0, "val": val, "res": "ok"}


def loaded(pg: int, v: int) -> dict[str, Any]:
    return {"op": "r", "pg": pg, "slot": 0, "res": "ok", "v": v}


def unmapped(pg: int) -> dict[str, Any]:
    return {"op": "r", "pg": pg, "slot": 0, "res": "SEGV_MAPERR", "at": pg}


RECORDED = {
    "a lock of nothing within a page is about that page": [
        mapped(0, 1),
        called("lock", 0, "ok", **WITHIN),
        advised(0, "DONTNEED", "EINVAL"),
        called("unlock", 0, "ok", **WITHIN),
        advised(0, "DONTNEED", "ok"),
        called("lock", 2, "ENOMEM", **WITHIN),
        called("unlock", 2, "ENOMEM", **WITHIN),
        called("lock", 2, "ok", **EMPTY),
    ],
    "munlock stops at a gap": [
        mapped(0, 1),
        mapped(2, 1),
        called("lock", 2, "ok"),
        called("unlock", 0, "ENOMEM", n=4),
        advised(2, "FREE", "EINVAL"),
    ],
    "what stays mapped keeps its length": [
        mapped(0, 2),
        stored(0, 1),
        moved(0, 4, "EINVAL", n=2, dontunmap=1),
        loaded(0, 1),
        moved(0, 4, "EINVAL", newn=2, dontunmap=1),
        unmapped(4),
    ],
    "no length of private memory, and of none": [
        mapped(0, 1),
        moved(0, 4, "EINVAL", **EMPTY),
        moved(6, 4, "EFAULT", **EMPTY),
        unmapped(4),
    ],
    "no length of shared memory shows it twice": [
        mapped(0, 3, "shared"),
        stored(1, 1),
        stored(2, 2),
        mapped(5, 1),
        moved(1, 4, "ok", newn=2, **EMPTY),
        loaded(4, 1),
        loaded(5, 2),
        stored(4, 3),
        loaded(1, 3),
        moved(1, 4, "EINVAL", dontunmap=1, **EMPTY),
        moved(1, 0, "EINVAL", newn=2, **EMPTY),
    ],
    "no length of shared memory, to where it is": [
        mapped(0, 2, "shared"),
        stored(0, 1),
        moved(0, 0, "EFAULT", **EMPTY),
        unmapped(0),
    ],
}


@pytest.mark.parametrize("name", RECORDED)
def test_linux_answers_the_same(name: str) -> None:
    ops = [{"p": 0, **one} for one in RECORDED[name]]
    sequence = {"id": name, "cls": "found", "pages": 8, "procs": 1, "ops": ops}
    report = compare(sequence, LINUX)
    assert (report.differed, report.violations) == ([], [])
    assert report.agreed == len(ops)
