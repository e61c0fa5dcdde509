"""DECISIONS.md: numbered, indexed by subject; and links of documents lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.support.places import ROOT

DOCUMENTS = sorted(ROOT.glob("*.md"))
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINES = 15


def anchors(text: str) -> set[str]:
    """Return the names that GitHub gives the headings of a document."""
    headings = HEADING.findall(CODE.sub("", text))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    wrong = []
    for link in LINK.findall(CODE.sub("", path.read_text("utf-8"))):
        name, _, anchor = link.partition("#")
        if name.startswith("http"):
            continue
        target = ROOT / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            wrong.append(link)
    assert wrong == []


def test_decisions_are_numbered_in_order_short_and_indexed() -> None:
    head, *decisions = re.split(
        r"^## (?=\d)", (ROOT / "DECISIONS.md").read_text("utf-8"), flags=re.MULTILINE
    )
    assert [int(text.partition(".")[0]) for text in decisions] == [*range(1, len(decisions) + 1)]
    long = [text.splitlines()[0] for text in decisions if len(text.splitlines()) > LINES + 2]
    assert long == [], f"a decision has up to {LINES} lines"
    indexed = [int(number) for number in re.findall(r"\[(\d+)\]\(#\1-", head)]
    ranges = re.findall(r"\[(\d+)\]\(#[^)]*\) to\s+\[(\d+)\]", head)
    indexed += [n for first, last in ranges for n in range(int(first) + 1, int(last))]
    assert sorted(indexed) == [*range(1, len(decisions) + 1)], "name it once in the index"
