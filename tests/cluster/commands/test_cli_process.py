"""The command as a process: signals, pipes, and real Ray."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cluster.__main__ import main
from tests.support.command_line import HOLEZERO, ROOT, process

SCENARIO = """
[machine]
cores = 2
[[thread]]
name = "a"
run = ["map 0x10 8", "store 0x10 8", "create b", "hole 0x10 8", "zero 0x10 8", "load 0x10 8"]
[[thread]]
name = "b"
initial = false
run = ["load 0x14", "map 0x40 4", "store 0x40 4", "hole 0x40 4", "zero 0x40 2"]
"""


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.toml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)


def test_an_interrupt_keeps_what_is_there() -> None:
    command = [*HOLEZERO, "run", "gitrepack-snmalloc", "--out", "cut", "--trace", "full"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        trace = Path("cut/run.trace")
        while not trace.exists() or trace.stat().st_size < 100_000:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    summary = json.loads(Path("cut/summary.json").read_text())
    assert (summary["interrupted"], summary["complete"]) == (True, False)
    replayed = process("replay", "cut")
    assert replayed.returncode == 0, replayed.stderr


@pytest.mark.parametrize(
    "command",
    ["trace show runs/latest", "run small.toml", "run small.toml --json", "hazards", "--help"],
)
def test_a_closed_pipe_is_no_news(command: str) -> None:
    assert main(["run", "small.toml", "--trace", "full", "--quiet"]) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*HOLEZERO, *command.split()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 141


def test_output_that_cannot_be_written_is_an_error_without_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*HOLEZERO, "hazards"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(Path.cwd())},
        )
    assert done.returncode == 2
    assert "standard output: cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(Path.cwd().glob("holezero-*.log")) == []


def test_help_and_version() -> None:
    version = process("--version")
    assert version.returncode == 0
    assert version.stdout.startswith("holezero, version ")
    for command in ([], ["run"], ["compare"], ["replay"], ["trace", "show"], ["import", "faults"]):
        shown = process(*command, "--help")
        assert shown.returncode == 0
        assert "Usage: holezero" in shown.stdout


@pytest.mark.live
def test_a_run_on_ray_is_judged_by_its_replay() -> None:
    done = process("run", "small.toml", "--engine", "ray", "--json", "--out", "live")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["verdict"], summary["complete"], summary["engine"]) == (
        "held",
        True,
        "ray-free",
    )
    metrics = summary["metrics"]
    assert metrics["touches"]["stores"] == 12
    assert metrics["operations"]["zero"]["count"] == 2
    replayed = process("replay", "live", "--json")
    assert json.loads(replayed.stdout)["digest"] == summary["digest"]
