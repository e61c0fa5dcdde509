"""The real Linux kernel as an oracle: what a guest sees is what it saw there."""

import gzip
import json
from pathlib import Path

import pytest

from cluster.corpus import DEPARTED, HOLE_ZERO, LINUX, compare, run, sequences
from cluster.input_error import InputError

CORPUS = Path(__file__).parent / "corpus"
RECORDED = CORPUS / "linux_vmops.jsonl.gz"
DIRECTED = CORPUS / "directed.jsonl.gz"
#: operations in the corpus
RECORDED_OPERATIONS = 54_496
DIRECTED_OPERATIONS = 261


@pytest.mark.parametrize(
    ("path", "agreed", "operations"),
    [(RECORDED, 23_928, RECORDED_OPERATIONS), (DIRECTED, 104, DIRECTED_OPERATIONS)],
)
def test_nothing_differs(path: Path, agreed: int, operations: int) -> None:
    report = run(path, LINUX)
    assert report.differed == []
    assert report.violations == []
    assert report.agreed == agreed
    assert report.agreed + report.not_applicable.total() == operations


def test_nothing_differs_when_all_is_reclaimed_that_may_be() -> None:
    plain, scarce = run(RECORDED, LINUX), run(RECORDED, LINUX, scarce=True)
    assert scarce.differed == []
    assert scarce.violations == []
    assert scarce.agreed == plain.agreed
    assert scarce.alternatives != plain.alternatives


def test_real_calls_give_what_their_emulation_gave() -> None:
    agreed = departed = 0
    for sequence in sequences(RECORDED):
        if sequence["cls"] == "holezero":
            report = compare(sequence, HOLE_ZERO)
            assert report.differed == []
            assert report.violations == []
            agreed += report.agreed
            departed += report.not_applicable[DEPARTED]
    assert agreed == 3_339
    assert departed == 96


def test_a_wrong_machine_would_be_noticed() -> None:
    sequence = next(sequences(RECORDED))
    for operation in sequence["ops"]:
        if operation["op"] == "r" and operation.get("v"):
            operation["v"] += 1
    assert compare(sequence).differed


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 1}', "\x00"])
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
