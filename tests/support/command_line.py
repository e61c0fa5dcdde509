"""The command as tests run it: in this process for its JSON, or as a process of its own."""

import json
import os
import subprocess
import sys
from typing import Any, cast

import pytest

from cluster.__main__ import main
from tests.support.places import ROOT

HOLEZERO = [sys.executable, "-m", "cluster"]


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command here and give what `--json` prints."""
    assert main([*arguments, "--json"]) == code
    return cast("dict[str, Any]", json.loads(capsys.readouterr().out))


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process."""
    return subprocess.run(
        [*HOLEZERO, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
