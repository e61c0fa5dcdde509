"""The machine against a recording that only emulates its calls: where they must differ, and do."""

from pathlib import Path
from typing import Any

import pytest

from cluster.corpus.corpus_file import sequences
from cluster.corpus.judging import Report, compare, run
from cluster.corpus.program import DEPARTED, HOLE_ZERO, LINUX, UNLOCKED
from tests.corpus.drawn import drawn
from tests.corpus.written import WRITTEN, written
from tests.support.places import TESTS

MIXED = TESTS / "corpus" / "mixed.jsonl.gz"
#: operations of the file: compared, and about which the recording says nothing
AGREED = {LINUX: (5_371, 12), HOLE_ZERO: (3_520, 181)}


@pytest.fixture(scope="module", params=[LINUX, HOLE_ZERO])
def report(request: pytest.FixtureRequest) -> tuple[str, Report]:
    return request.param, run(MIXED, request.param)


def test_nothing_differs_whatever_holes_meet(report: tuple[str, Report]) -> None:
    way, found = report
    assert found.differed == []
    assert found.violations == []
    assert (found.agreed, found.not_applicable.total()) == AGREED[way]
    assert set(found.not_applicable) == {DEPARTED if way == HOLE_ZERO else UNLOCKED}


def recorded(name: str) -> dict[str, Any]:
    return next(one for one in sequences(MIXED) if one["id"] == f"written-{name}")


@pytest.mark.parametrize(
    ("name", "index", "wrong"),
    [
        ("lock-hole-read", 3, "ok"),  # HOLE of locked memory: EINVAL, after what precedes it
        ("lock-zero-read", 4, "ok"),  # so is ZERO, though mprotect is done
        ("shared-hole", 2, "EINVAL"),  # HOLE of shared memory succeeds, though FREE fails
        ("zero-over-a-gap", 2, "ok"),  # ENOMEM, after all that is mapped
        ("crooked-hole", 2, "ok"),  # an address within a page: EINVAL
        ("hole-of-nothing", 0, "ok"),
    ],
)
def test_what_the_real_call_returns_is_expected(name: str, index: int, wrong: str) -> None:
    sequence = recorded(name)
    assert sequence["ops"][index].get("tag"), "it is a call of a pair"
    assert compare(sequence, HOLE_ZERO).differed == []
    # what the recording gave does not count, as its call is another one
    sequence["ops"][index]["res"] = wrong
    assert compare(sequence, HOLE_ZERO).differed == []


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("read-zero-remap-write", "w 1.0"),
        ("hole-remap-keep-read", "r 0.0"),
        ("hole-remap-zero", "r 5.0"),
        ("prot-opens-hole", "r 0.1"),
        ("dontneed-in-hole", "r 0.0"),
        ("hole-fork-zero", "r 0.0"),
    ],
)
def test_after_a_zero_that_both_make_all_is_compared_again(name: str, last: str) -> None:
    sequence = recorded(name)
    final = sequence["ops"][-1]
    assert f"{final['op']} {final['pg']}.{final['slot']}" == last
    final |= {"res": "SEGV_MAPERR", "at": 77}
    assert [one.index for one in compare(sequence, HOLE_ZERO).differed] == [
        len(sequence["ops"]) - 1
    ]


@pytest.mark.parametrize("name", ["never-touched", "zero-page-is-freed", "zero-page-closed"])
def test_what_mincore_finds_of_memory_that_was_never_stored_to_is_exact(name: str) -> None:
    asked = [i for i, op in enumerate(recorded(name)["ops"]) if op["op"] == "mincore"]
    assert asked
    for index in asked:
        for page in range(recorded(name)["ops"][index]["n"]):
            sequence = recorded(name)
            operation = sequence["ops"][index]
            vec = operation["vec"]
            operation["vec"] = vec[:page] + "10"[int(vec[page])] + vec[page + 1 :]
            alternatives = operation.pop("altvec", [])
            if not any(one[page] != vec[page] for one in alternatives):
                assert [one.index for one in compare(sequence, LINUX).differed] == [index]


def test_a_store_that_only_the_recording_makes_is_not_made() -> None:
    sequence = recorded("prot-opens-hole")
    report = compare(sequence, HOLE_ZERO)
    assert report.not_applicable == {DEPARTED: 2}, "r and w after mprotect has opened the hole"


def test_written_sequences_are_in_the_file() -> None:
    kept = {one["id"]: one for one in sequences(MIXED) if one["cls"] == "written"}
    assert set(kept) == {f"written-{name}" for name in WRITTEN}
    for one in written():
        outcomes = ("res", "v", "vec", "at", "alt", "altres", "altvec")
        found = [
            {k: v for k, v in op.items() if k not in outcomes} for op in kept[one["id"]]["ops"]
        ]
        assert found == [{k: v for k, v in op.items() if k != "res"} for op in one["ops"]]


def test_the_same_seed_draws_the_same_sequences(tmp_path: Path) -> None:
    found = list(drawn(10, 12))
    assert found == list(drawn(10, 12))
    assert {one["cls"] for one in found} == {"mixed", "fails", "moves", "locks", "shares", "plain"}
    kept = {one["id"] for one in sequences(MIXED)}
    assert {one["id"] for one in found} & kept
