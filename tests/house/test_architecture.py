"""ARCHITECTURE.md explains every word of the tables, and draws the rooms that there are."""

import re
from pathlib import Path

import pytest

from cluster.__main__ import main
from tests.house.test_tidy import FILES, PACKAGES
from tests.support.places import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
#: a row of a printed table: its label, and the first value
LABEL = re.compile(r"(\S(?:.*?\S)?) {2,}\S")


def explained(heading: str) -> set[str]:
    """Return the words in the first column of the table under a heading."""
    _, _, rest = TEXT.partition(f"\n### {heading}\n")
    rows = re.findall(r"^\| (.*?) \|", re.split(r"\n#+ ", rest)[0], re.MULTILINE)
    return {word for row in rows for word in row.split("; ")}


def printed(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> set[str]:
    """Return the labels of what a command prints."""
    assert main([*arguments, "-q", "--out", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {label[1] for line in lines if (label := LABEL.match(line))}


@pytest.mark.parametrize("scenario", ["one-page", "fork-under-pressure"])
def test_rows_of_a_run_are_explained(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = explained("Rows of `run` and `compare`") | explained("Rows under `sometimes`")
    labels = printed(capsys, tmp_path / "run", "run", scenario)
    assert len(labels) > 30
    unknown = {label for label in labels if not _known(label, rows)}
    assert unknown == set(), "explain it in the glossary of ARCHITECTURE.md"


def _known(label: str, rows: set[str]) -> bool:
    """Say whether a label is a row, or a row with a part left open."""
    return any(
        re.fullmatch(re.escape(row).replace(r"\.\.\.", ".*"), label, re.IGNORECASE) for row in rows
    )


def test_every_room_of_the_cluster_is_drawn() -> None:
    picture = re.search(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
    assert picture is not None
    rooms = {p.relative_to(ROOT).parts[1] for p in FILES if p.match("cluster/*/*.py")}
    words = set(re.findall(r"\w+", picture[1]))
    assert rooms - words == set(), "draw it in ARCHITECTURE.md"
    assert set(PACKAGES) - words == set()
