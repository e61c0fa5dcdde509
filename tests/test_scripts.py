"""Datadriven scripts: verbs in, transcript out; `pytest --rewrite` writes the transcripts anew.

`tests/support/scripting.py` lists the verbs and says how to read the answers.
"""

import difflib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kernel.hole import TABLE, Action, HoleEvent, HoleState
from tests.support.hole_rows import Result, Row, mutated
from tests.support.places import ROOT, TESTS
from tests.support.script_blocks import ScriptFileError, blocks
from tests.support.scripting import Bench

STAYS = (Action.NOTHING,)
SCRIPTS = sorted((TESTS / "scripts").glob("*.txt"))


@cache
def transcript(path: Path) -> tuple[str, frozenset[Row]]:
    bench = Bench()
    text = bench.run(path.read_text(encoding="utf-8"))
    return text, frozenset(bench.hits)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script(path: Path, request: pytest.FixtureRequest) -> None:
    text, _ = transcript(path)
    if request.config.getoption("--rewrite"):
        path.write_text(text, encoding="utf-8")
    stands = path.read_text(encoding="utf-8")
    if text != stands:
        pytest.fail(difference(path.stem, stands, text), pytrace=False)


def difference(name: str, expected: str, actual: str) -> str:
    """Return a unified diff, and the command that makes the script say what the machines do."""
    lines = difflib.unified_diff(
        expected.splitlines(), actual.splitlines(), "expected", "actual", lineterm=""
    )
    command = f"pytest tests/test_scripts.py --rewrite -k {name}"
    return "\n".join([f"{name} tells another story than the machines do:", *lines, "", command])


def test_a_difference_is_shown_with_the_command_that_writes_it() -> None:
    text = difference("lost-ack", "pages\n----\nno page is resident\n", "pages\n----\nok\n")
    assert text.splitlines()[1:] == [
        "--- expected",
        "+++ actual",
        "@@ -1,3 +1,3 @@",
        " pages",
        " ----",
        "-no page is resident",
        "+ok",
        "",
        "pytest tests/test_scripts.py --rewrite -k lost-ack",
    ]


def test_blocks_are_cut_at_verbs_that_answer() -> None:
    head = "machine cores=1\nthread a\nmap 1 1\n----\nok\n\n# why\nstart\nsettle\n# then\npages\n"
    found, rest = blocks(head + "----\n")
    assert rest == []
    assert [piece.lines for block in found for piece in block.by_verb()] == [
        ["machine cores=1", "thread a", "map 1 1"],
        ["# why", "start", "settle"],
        ["# then", "pages"],
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script_tells_its_story(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "begin with a comment: what does the script show?"


def test_scripts_ask_for_every_row_of_the_table() -> None:
    hit = frozenset().union(*(transcript(path)[1] for path in SCRIPTS))
    assert set(TABLE) - hit == set(), "write a script of tests/scripts that asks for them"


#: a row whose action only counts: its next state decides
_COUNTED = (HoleState.ZEROED, HoleEvent.ZERO)


def mutants() -> Iterator[tuple[Row, Result]]:
    """Yield each row with a different next state, and without its actions."""
    for row, (after, actions) in TABLE.items():
        if after is None:
            yield row, (row[0], actions)
        elif not {Action.WAIT, Action.REFUSE}.intersection(actions) and actions != STAYS:
            yield row, (HoleState.IDLE if after is HoleState.LIVE else HoleState.LIVE, actions)
        if actions != STAYS and row != _COUNTED:
            yield row, (after, STAYS)


def test_every_row_of_the_table_decides_something() -> None:
    """Changing a row changes what some script shows."""
    asking: dict[Row, list[Path]] = {}
    for path in SCRIPTS:
        text, hits = transcript(path)
        if "\nexplore" not in text:  # those are slow, and shorter ones cover the same rows
            for row in hits:
                asking.setdefault(row, []).append(path)
    unnoticed = []
    for row, mutant in mutants():
        shortest_first = sorted(asking[row], key=lambda p: len(transcript(p)[0]))
        with mutated(row, mutant):
            if all(_shows_the_same(path) for path in shortest_first):
                unnoticed.append((row, mutant))
    assert unnoticed == []


def _shows_the_same(path: Path) -> bool:
    try:
        return Bench().run(path.read_text(encoding="utf-8")) == transcript(path)[0]
    except ScriptFileError:
        return False


def test_transcripts_do_not_depend_on_the_hash_seed() -> None:
    path = next(p for p in SCRIPTS if p.stem == "race-steal-without-waiting")
    texts = [
        subprocess.run(
            [sys.executable, "-m", "tests.support.scripting", str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1] == path.read_text(encoding="utf-8")
