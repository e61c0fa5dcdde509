"""The documents that are rendered from the code are as the code has them."""

from pathlib import Path

import pytest

from cluster.documents import __main__ as documents
from cluster.documents import protocol_doc
from cluster.documents.markdown import filled_in
from kernel.hazards.real_bugs import TABLE
from kernel.hazards.seen_elsewhere import SEEN
from tests.support.places import ROOT


def test_rendered_documents_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert documents.ROOT == ROOT
    code = documents.main(["--check"])
    assert (code, capsys.readouterr().err) == (0, "")


def test_what_is_stale_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "SOURCES.md").write_text((ROOT / "SOURCES.md").read_text("utf-8"))
    assert documents.main(["--check"]) == 1
    assert capsys.readouterr().err == "stale: PROTOCOL.md; run `make documents`\n"
    assert documents.main([]) == 0
    assert (tmp_path / "PROTOCOL.md").read_text("utf-8") == protocol_doc.render()
    assert documents.main(["--check"]) == 0


def test_a_part_is_filled_in_between_its_marks() -> None:
    marks = "<!-- a: rendered by `make documents` -->\n{}<!-- end of a -->\n"
    text = "before\n" + marks.format("old\n") + "after\n"
    new = filled_in(text, "a", ["| new |"])
    assert new == "before\n" + marks.format("\n| new |\n\n") + "after\n"
    assert filled_in(new, "a", ["| new |"]) == new
    with pytest.raises(ValueError, match="no part between"):
        filled_in(text, "b", [])


def test_every_row_of_the_table_of_real_bugs_says_where_it_comes_from() -> None:
    assert list(SEEN) == [row.name for row in TABLE], (
        "kernel/hazards/seen_elsewhere.py has the rows of kernel/hazards/real_bugs.py, in order"
    )
