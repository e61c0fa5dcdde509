"""What is cited is in SOURCES.md, what is in SOURCES.md is cited, and paths lead somewhere."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.test_tidy import FILES, PYTHON, shown
from tests.support.places import ROOT

SOURCES = (ROOT / "SOURCES.md").read_text("utf-8")
TEXTS = {".py", ".md", ".toml", ".txt", ".sh", ".awk", ".c", ""}
#: a published figure; a hazard, mutation or rule; an advisory, revision, review or commit (and no
#: address of a recording, 7f...)
FIGURE = re.compile(r"(?<![\w@+/.-])S\d{1,2}(?![\w.])")
NUMBER = re.compile(r"(?<![\w-])(?:H-\d+|M\d{1,2}|rule \d+)(?!\w)")
REVISION = re.compile(
    r"CVE-\d{4}-\d+|FreeBSD-(?:EN|SA)-[\d:]+(?:\.\w+)?|\br\d{6}\b|\bD\d{5}\b"
    r"|\b(?!7f)(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b"
)
#: "POPL 2011"
PAPER = re.compile(r"\b[A-Z]{4,} (?:19|20)\d\d\b")
#: foreign functions and files: pmap_activate_sw, vm_object.h
FOREIGN = re.compile(r"\b_*[a-z]+(?:_[a-z0-9]+)+(?:\.[ch])?\b|\b[a-z]+\.[ch]\b")
#: the mark of a value in a profile: [E], [D:2nd:S7], [E, M]
MARK = re.compile(r"= [\w.]+ +# \[([^\]]+)\]")
MARKS = {"S", "D", "2nd", "M", "E"}
#: a path of this repository, in prose or code
PLACE = re.compile(
    r"(?<![\w./$<{~-])(?:(?:kernel|actors|cluster|dashboards|tests|reference|data)/[\w./*-]*\w"
    r"|[A-Z]{4,}\.md)(?![\w/{<])"
)
#: made by a command or by the reader, or of another program
ELSEWHERE = {
    "tests/correct/synthetic",
    "tests/foreign-frame.trace",
    "tests/suites/dpor_tests",
    "tests/test_found.py",
}


def texts() -> Iterator[tuple[Path, str]]:
    """Yield what people write here: not recordings, lock files, traces."""
    for path in FILES:
        if path.suffix in TEXTS:
            yield path, path.read_text("utf-8")


def cited(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return what is cited outside SOURCES.md, and where."""
    found: dict[str, list[str]] = {}
    for path, text in texts():
        if path.name not in ("SOURCES.md", "test_sources.py"):
            for key in pattern.findall(text):
                found.setdefault(key, []).append(shown(path))
    return found


def missing(pattern: re.Pattern[str], listed: str = SOURCES) -> dict[str, list[str]]:
    known = set(pattern.findall(listed))
    return {key: places for key, places in cited(pattern).items() if key not in known}


def rows_of(heading: str) -> str:
    """Return the part of SOURCES.md under a heading."""
    _, _, rest = SOURCES.partition(f"\n{heading}\n")
    return re.split(r"\n#+ ", rest)[0]


@pytest.mark.parametrize("pattern", [FIGURE, NUMBER, REVISION], ids=["S", "H M rule", "revision"])
def test_what_is_cited_is_in_sources_md(pattern: re.Pattern[str]) -> None:
    assert missing(pattern) == {}, "add it to SOURCES.md (H, M, rule: kernel/hazards/real_bugs.py)"


def test_figures_are_cited_or_marked_as_background() -> None:
    keys = set(FIGURE.findall(rows_of("### Cited")))
    keys.remove("S10")  # a row names it as the thread that it belongs to
    assert keys - set(cited(FIGURE)) == set(), "move it to the background of SOURCES.md"
    background = set(FIGURE.findall(rows_of("### Background: read, not cited")))
    assert background & set(cited(FIGURE)) == set(), "move it to what is cited in SOURCES.md"


@cache
def source_paragraphs() -> tuple[tuple[Path, str], ...]:
    """Return what follows `Source:` in docstrings and comments, up to the end of the paragraph."""
    found = []
    for path in PYTHON:
        text = path.read_text("utf-8")
        if "Source:" in text:
            parts = (part for prose in _prose(text) for part in re.split(r"\n\s*\n", prose))
            found += [(path, part.partition("Source:")[2]) for part in parts if "Source:" in part]
    return tuple(found)


def _prose(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_functions_that_source_lines_name_are_in_sources_md() -> None:
    known = set(FOREIGN.findall(SOURCES))
    unknown = {
        (shown(path), name)
        for path, text in source_paragraphs()
        for name in FOREIGN.findall(re.sub(r"`[^`]*`", "", text))
        if name not in known
    }
    assert unknown == set(), "add them to the tables of kernels in SOURCES.md"


def test_functions_of_sources_md_are_named_somewhere() -> None:
    listed = "\n".join(rows_of(f"### {kernel}") for kernel in ("FreeBSD", "Linux", "XNU"))
    named = {name for row in listed.splitlines() for name in re.findall(r"`(\w+)`", row)}
    everything = "\n".join(text for path, text in texts() if path.name != "SOURCES.md")
    assert {name for name in named if name not in everything} == set(), "nobody cites them"


def test_papers_that_source_lines_name_are_in_sources_md() -> None:
    papers = {paper for _, text in source_paragraphs() for paper in PAPER.findall(text)}
    assert papers - set(PAPER.findall(SOURCES)) == set()
    assert len(papers) > 3


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.match("cluster/shipped/profiles/*.toml")], ids=lambda p: p.stem
)
def test_marks_of_a_profile_are_explained(path: Path) -> None:
    marks = {
        part
        for mark in MARK.findall(path.read_text("utf-8"))
        for part in re.split(r"[:, ]+", mark.replace("after ", ""))
    }
    assert {mark for mark in marks if mark.rstrip("0123456789") not in MARKS} == set()


def test_no_file_names_a_path_that_is_not_there() -> None:
    wrong = [
        f"{shown(path)}: {name}"
        for path, text in texts()
        for name in PLACE.findall(text)
        if name not in ELSEWHERE and "NAME" not in name and not any(ROOT.glob(name))
    ]
    assert wrong == []
