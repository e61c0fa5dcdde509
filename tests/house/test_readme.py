"""The README's examples run as pasted, with the exit codes that it names."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.scenario.scenario import MachineTable
from dashboards.metrics import RunMetrics
from tests.support.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_it_opens_with_the_two_commands() -> None:
    assert README.startswith("# holezero\n\n    make run\n    make test\n")


def test_commands_run_as_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [line for line in block("sh").splitlines() if line]
    assert len(commands) > 10
    for command in commands:
        code = re.search(r"\(exit (\d+)\)", command)
        program, *arguments = shlex.split(command, comments=True)
        assert program == "holezero"
        assert main(arguments) == (int(code[1]) if code else 0), command
        capsys.readouterr()


def test_the_scenario_runs_as_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(block("toml"))
    assert main(["compare", "my.toml"]) == 0


def test_it_names_every_metric() -> None:
    metrics = RunMetrics()
    metrics.begin({"scenario": "x"})
    missing = [m.name for m in metrics.registry.collect() if f"`{m.name}" not in README]
    assert missing == [], "name it in the README's section Metrics"


def test_the_defaults_it_shows_are_the_defaults() -> None:
    shown = tomllib.loads(block("toml"))["machine"]
    defaults = MachineTable()
    for key, value in shown.items():
        if key != "cores":
            assert value == getattr(defaults, key), key
