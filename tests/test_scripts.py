"""Datadriven scripts: commands in, transcript out. `pytest --rewrite` writes them anew.

See `tests/scripting.py` for the commands.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from kernel.hole import TABLE
from tests.scripting import Bench, Row

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


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
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script_tells_its_story(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_scripts_ask_for_every_row_of_the_table() -> None:
    hit = frozenset().union(*(transcript(path)[1] for path in SCRIPTS))
    assert set(TABLE) - hit == set()


def test_transcripts_do_not_depend_on_the_hash_seed() -> None:
    path = next(p for p in SCRIPTS if p.stem == "race-steal-without-waiting")
    texts = [
        subprocess.run(
            [sys.executable, "-m", "tests.scripting", str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1] == path.read_text(encoding="utf-8")
