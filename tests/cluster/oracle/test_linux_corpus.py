"""The real Linux kernel as an oracle: what a guest sees is what it saw there."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.__main__ import main
from cluster.corpus.corpus_file import sequences
from cluster.corpus.judging import KEPT_APART, Report, compare, run
from cluster.corpus.program import ALWAYS, AS_RECORDED, DEPARTED, HOLE_ZERO, NEVER, RANDOM
from cluster.input_error import InputError
from tests.support.places import TESTS

CORPUS = TESTS / "corpus"
RECORDED = CORPUS / "linux_vmops.jsonl.gz"
DIRECTED = CORPUS / "directed.jsonl.gz"
#: operations in the corpus, and those after a documented difference
OPERATIONS, LEFT_OUT = 54_496, 76


def counted(report: Report) -> tuple[int, int]:
    """Return what agreed and what was left out; there must be nothing else."""
    assert report.differed == []
    assert report.violations == []
    return report.agreed, report.not_applicable.total()


def test_every_directed_operation_agrees() -> None:
    report = run(DIRECTED)
    assert counted(report) == (261, 0)
    assert report.whole_sequences == 24


@pytest.fixture(scope="module")
def plain() -> Report:
    return run(RECORDED)


def test_nothing_differs(plain: Report) -> None:
    report = plain
    assert counted(report) == (OPERATIONS - LEFT_OUT, LEFT_OUT)
    assert dict(report.not_applicable) == {KEPT_APART: 2, f"after: {KEPT_APART}": 74}
    assert report.whole_sequences == 1_398


@pytest.mark.parametrize("reclaim", [NEVER, ALWAYS, RANDOM])
def test_nothing_differs_whenever_pages_are_reclaimed(plain: Report, reclaim: str) -> None:
    other = run(RECORDED, reclaim=reclaim, seed=1)
    assert counted(other) == counted(plain)
    assert other.alternatives > plain.alternatives


@pytest.mark.parametrize("reclaim", [AS_RECORDED, RANDOM])
def test_real_calls_give_what_their_emulation_gave(reclaim: str) -> None:
    report = run(RECORDED, HOLE_ZERO, reclaim=reclaim)
    assert counted(report) == (5_999, 70)
    assert set(report.not_applicable) == {DEPARTED}


@pytest.mark.parametrize("key", ["v", "vec", "at", "res"])
def test_a_wrong_machine_would_be_noticed(key: str) -> None:
    wrong = {"v": 77, "vec": "0110", "at": 99, "res": "EPERM"}
    found = (s for s in sequences(RECORDED) if any(key in o for o in s["ops"]))
    sequence = next(s for s in found if key != "vec" or any(o.get("n") == 4 for o in s["ops"]))
    changed = next(o for o in sequence["ops"] if (key in o and key != "vec") or o.get("n") == 4)
    changed[key] = wrong[key]
    if key == "vec":
        sequence = _only_mincore(changed)
    differed = compare(sequence).differed
    assert [one.expected for one in differed] == [str({k: changed[k] for k in _told(changed)})]


def _told(operation: dict[str, Any]) -> list[str]:
    return [k for k in ("res", "v", "vec", "alt", "at") if k in operation]


def _only_mincore(changed: dict[str, Any]) -> dict[str, Any]:
    changed |= {"op": "mincore", "pg": 0, "p": 0, "res": "ok"}
    mapped = {"p": 0, "op": "map", "pg": 0, "n": 4, "prot": "rw", "kind": "priv", "res": "ok"}
    return {"id": "x", "pages": 4, "procs": 1, "ops": [mapped, changed]}


MAP = {"p": 0, "op": "map", "pg": 0, "n": 1, "prot": "rw", "kind": "priv", "res": "ok"}


@pytest.mark.parametrize(
    ("operations", "problem"),
    [
        ([{"p": 0, "op": "jump"}], "operation 0: there are the operations map"),
        ([{**MAP, "p": 1}], "p cannot be 1"),
        ([{**MAP, "prot": "x"}], "prot cannot be 'x'"),
        ([{**MAP, "n": 1 << 40}], "n cannot be"),
        ([{**MAP, "boff": 1 << 40}], "boff or blen is out of range"),
        ([{"p": 0, "op": "w", "res": "ok"}], "lacks pg, slot, val"),
        ([MAP | {"op": "adv", "advice": "FREE", "tag": "hole1"}, MAP], "a tagged pair is hole1"),
        ([MAP | {"tag": "hole1"}], "a tagged pair is hole1"),
        ([{"p": 0, "op": "exit", "res": "ok"}, MAP], "operation 1: process 0 does not run"),
        ([{"p": 0, "op": "fork", "child": 0, "res": "ok"}], "process 0 exists already"),
    ],
)
def test_a_sequence_that_can_not_be_is_an_error(
    tmp_path: Path, operations: list[dict[str, Any]], problem: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"id": "a", "pages": 4, "procs": 1, "ops": operations}))
    with pytest.raises(InputError, match=f"x.jsonl:1: is not a sequence of a corpus: .*{problem}"):
        run(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 1}', "\x00", "[" * 100_000])
def test_what_is_no_corpus_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.jsonl"):
        run(path)


def test_a_corpus_may_be_compressed_or_not(tmp_path: Path) -> None:
    sequence = next(sequences(DIRECTED))
    plain, packed = tmp_path / "x.jsonl", tmp_path / "x.jsonl.gz"
    plain.write_text(json.dumps(sequence), encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert run(plain) == run(packed)
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(InputError):
        run(packed)


# The command.


def test_the_command_counts_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", str(DIRECTED), "--json", "--reclaim", "random", "--seed", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["agreed"], found["differed"], found["not_applicable"]) == (261, 0, {})
    assert main(["corpus", str(DIRECTED)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["agreed", "261", "0"]


def test_a_difference_is_shown_and_exits_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    read = {"p": 0, "op": "r", "pg": 0, "slot": 0, "res": "ok", "v": 7}
    path.write_text(json.dumps({"id": "a", "pages": 4, "procs": 1, "ops": [MAP, read]}))
    assert main(["corpus", str(path)]) == 1
    assert "a, operation 1: p=0 op=r pg=0 slot=0: recorded" in capsys.readouterr().out
    assert main(["corpus", str(tmp_path / "none")]) == 2
