"""What the discussion of issue 1318 claims, and what the simulated machine says to it.

`tests/scripts/claim-*.txt` are headed by what is claimed, by whom, and the verdict that the script
shows. `tests/claims.md` is the table of them; `pytest --rewrite` writes it anew.
"""

import re
from pathlib import Path

import pytest

from tests.support.places import TESTS
from tests.support.script_blocks import claim_of

HERE = TESTS
SCRIPTS = sorted((HERE / "scripts").glob("claim-*.txt"))
TABLE = HERE / "claims.md"
AUTHORS = ("davidchisnall", "markjdb", "nwf", "mjp41", "bsdjhb")
VERDICTS = ("holds", "half", "depends", "refuted", "answered")
#: (claim, author): about pages in a hole while capabilities are revoked, which no machine here does
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
    """Give the text of `tests/claims.md`."""
    rows = [(path.name, *claim_of(path.read_text(encoding="utf-8"))) for path in SCRIPTS]
    lines = [
        "# Claims of the discussion of CheriBSD issue 1318",
        "",
        "Each in our words, with its author and what the script in `tests/scripts` shows.",
        "",
        "| claim | by | script | verdict |",
        "|---|---|---|---|",
    ]
    rows.sort(key=lambda row: (AUTHORS.index(_author(row[2])), row[0]))
    lines += [f"| {claim} | {by} | `{name}` | {verdict} |" for name, claim, by, verdict in rows]
    lines += [f"| {claim} | {by} | with revocation | |" for claim, by in WITH_REVOCATION]
    return "\n".join(lines) + "\n"


def _author(by: str) -> str:
    return next(iter(re.findall(r"\w+", by)), "")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_claim_script_says_what_is_claimed(path: Path) -> None:
    claim, by, verdict = claim_of(path.read_text(encoding="utf-8"))
    assert claim
    assert _author(by) in AUTHORS
    assert re.match(r"\w+", verdict)[0] in VERDICTS


def test_table_of_claims_is_fresh(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite"):
        TABLE.write_text(table(), encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == table()
