"""What the discussion of issue 1318 claims, and what the simulated machine says to it.

`tests/scripts/claim-*.txt` begin with what is claimed, by whom, and the verdict that the script
shows. `CLAIMS.md` is the table of them; `pytest tests/house/test_claims.py --rewrite` writes it.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.places import ROOT, TESTS
from tests.support.script_blocks import claim_of

SCRIPTS = sorted((TESTS / "scripts").glob("claim-*.txt"))
TABLE = ROOT / "CLAIMS.md"
REWRITE = "pytest tests/house/test_claims.py --rewrite"
AUTHORS = ("davidchisnall", "markjdb", "nwf", "mjp41", "bsdjhb")
VERDICTS = ("holds", "half", "depends", "refuted", "answered")
#: (claim, author): about holes while capabilities are revoked, which no machine here does yet
WITH_REVOCATION = (
    (
        "a revoker can mark the pages of holes as no-access when it starts, and need not scan them",
        "davidchisnall (opening post)",
    ),
    (
        (
            "memory that is made a hole, revoked, and only then given back by ZERO is certainly "
            "zero, whatever was stored through dangling pointers until the revocation"
        ),
        "nwf",
    ),
    (
        (
            "all that is in a hole must be zeroed and not writable for user code when a revocation "
            "starts, no sooner"
        ),
        "davidchisnall",
    ),
    (
        "the start of a revocation is a global serialisation point of the process in any case",
        "davidchisnall",
    ),
    (
        (
            "page-table updates of holes can be postponed to that point and made in bulk: "
            "revocations cost more to begin, but are seldom"
        ),
        "davidchisnall",
    ),
    (
        "with a quarantine between the two calls most cases of step 4 do not occur",
        "davidchisnall (below step 4)",
    ),
)


def table() -> str:
    """Return the text of `CLAIMS.md`."""
    rows = [(path, *claim_of(path.read_text(encoding="utf-8"))) for path in SCRIPTS]
    rows.sort(key=lambda row: (AUTHORS.index(_author(row[2])), row[0]))
    return "\n".join([*_head([row[3] for row in rows]), *_rows(rows)]) + "\n"


def _head(verdicts: list[str]) -> list[str]:
    counts = Counter(_verdict(text) for text in verdicts)
    counted = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word])
    return [
        "# Claims of the discussion of CheriBSD issue 1318",
        "",
        f"<!-- rendered by `{REWRITE}`; change the scripts, not this file -->",
        "",
        "What was claimed or asked in the discussion, in our words, with its author. The verdict",
        "is what the script shows on the simulated machine; a test runs it again. `holezero",
        "policies` explains the keys and presets that verdicts name, the glossary of",
        "`ARCHITECTURE.md` the words.",
        "",
        f"Verdicts: {counted}.",
        f"{len(WITH_REVOCATION)} more claims are about revocation, which is to come.",
        "",
        "| claim | by | verdict | script |",
        "|---|---|---|---|",
    ]


def _rows(rows: list[tuple[Path, str, str, str]]) -> list[str]:
    lines = []
    for path, claim, by, verdict in rows:
        word = _verdict(verdict)
        link = f"[{path.stem}]({path.relative_to(ROOT).as_posix()})"
        lines.append(f"| {claim} | {by} | **{word}**{verdict.removeprefix(word)} | {link} |")
    return lines + [f"| {claim} | {by} | with revocation | |" for claim, by in WITH_REVOCATION]


def _verdict(text: str) -> str:
    return next(iter(re.findall(r"\w+", text)), "")


def _author(by: str) -> str:
    return next(iter(re.findall(r"\w+", by)), "")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_claim_script_says_what_is_claimed(path: Path) -> None:
    claim, by, verdict = claim_of(path.read_text(encoding="utf-8"))
    assert claim
    assert _author(by) in AUTHORS
    assert _verdict(verdict) in VERDICTS


def test_table_of_claims_is_fresh(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite"):
        TABLE.write_text(table(), encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == table(), f"CLAIMS.md is stale: {REWRITE}"
