"""The command line from outside: exit codes, messages, and files that make a run again."""

import errno
import json
import os
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.commands.output.policies import PROPERTY_ABOUT
from cluster.live.errors import WorkerDiedError
from cluster.replay.causal_cut import Cut
from cluster.results.sometimes import SOMETIMES_KEYS
from cluster.scenario.scenario import load
from cluster.scenario.setup import prepare
from cluster.trace.format import End, header_of
from cluster.trace.writer import TraceWriter
from kernel.policy.promises import Property
from tests.support.command_line import process, run_json

SCENARIO = """
about = "two threads, one hole"
[machine]
cores = 2
[[thread]]
name = "a"
run = ["map 0x10 8", "store 0x10 8", "create b", "hole 0x10 8", "zero 0x10 8", "load 0x10 8"]
[[thread]]
name = "b"
initial = false
run = ["map 0x40 4", "store 0x40 4", "hole 0x40 4", "hole 0x40 4", "zero 0x40 2"]
"""


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "small.toml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Runs and their files.


def test_a_run_holds_and_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.toml"]) == 0
    shown = capsys.readouterr()
    assert "held" in shown.out
    assert "MADV_FREE_HOLE p50 / p99" in shown.out
    assert shown.err == ""
    latest = Path("runs/latest")
    assert latest.is_symlink()
    assert latest.resolve().name.endswith("-small-fatal-hole")
    names = sorted(path.name for path in latest.iterdir())
    assert names == ["log.jsonl", "manifest.json", "run.trace", "summary.json"]
    for line in (latest / "log.jsonl").read_text().splitlines():
        json.loads(line)


def test_summary_is_what_json_prints_and_has_the_stable_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "small.toml", "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed == Path("runs/latest/summary.json").read_text()
    summary = json.loads(printed)
    assert {
        "verdict": "held",
        "violations": [],
        "not_promised": {},
        "complete": True,
        "scenario": "small",
        "preset": "fatal-hole",
        "engine": "inline",
    }.items() <= summary.items()
    for key in ("deliveries", "simulated_ns", "wall_s", "deliveries_per_s", "touches_per_s"):
        assert summary[key] > 0
    metrics = summary["metrics"]
    assert metrics["touches"] == {"loads": 8, "stores": 12}
    assert metrics["operations"]["hole"]["count"] == 3
    assert tuple(metrics["sometimes"]) == SOMETIMES_KEYS
    assert metrics["resident"]["peak_pages"] >= 8


def test_two_hash_seeds_give_the_same_run() -> None:
    found = []
    for hash_seed in ("1", "2"):
        done = process("run", "small.toml", "--json", PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        for key in ("wall_s", "deliveries_per_s", "touches_per_s", "directory"):
            del summary[key]
        found.append(summary)
    assert found[0] == found[1]


def test_a_manifest_makes_the_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--set", "zeroing=inline", "--set", "machine.cores=3", "--limit-ops", "70")
    first = run_json(capsys, "run", "small.toml", *arguments, "--seed", "7")
    assert (first["deliveries"], first["complete"]) == (70, False)
    manifest = json.loads(Path("runs/latest/manifest.json").read_text())
    assert manifest["seed"] == 7
    assert manifest["versions"]["python"].startswith("3.")
    Path("small.toml").unlink()
    again = run_json(capsys, "run", f"{first['directory']}/manifest.json")
    assert again["digest"] == first["digest"]
    assert again["directory"] != first["directory"]
    assert run_json(capsys, "run", first["directory"])["digest"] == first["digest"]


def test_out_names_the_folder_and_leaves_others_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_json(capsys, "run", "small.toml", "--out", "mine/deep")["directory"] == "mine/deep"
    assert not Path("runs").exists()
    assert main(["run", "small.toml", "--out", "mine/deep", "--trace", "off"]) == 0
    assert not Path("mine/deep/run.trace").exists()
    assert Path("mine/deep.1/run.trace").exists()  # the earlier run is kept aside
    capsys.readouterr()
    assert main(["run", "small.toml", "--out", "."]) == 2
    assert "holds something else" in capsys.readouterr().err


def test_a_comparison_has_one_run_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    presets = ("--preset", "flag-only", "--preset", "unmap")
    both = run_json(capsys, "compare", "small.toml", *presets, "--out", "both")
    assert [run["preset"] for run in both["runs"]] == ["flag-only", "unmap"]
    assert both["verdict"] == "held"
    assert Path("both/unmap/summary.json").exists()
    assert main(["compare", "small.toml"]) == 0
    out = capsys.readouterr().out
    for preset in ("fatal-hole", "flag-only", "madv-free", "dontneed-linux"):
        assert preset in out


# Exit codes.


def test_a_broken_promise_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    hazard = ("--set", "run.hazards=resident-set-drift")
    assert main(["run", "small.toml", *hazard]) == 1
    out = capsys.readouterr().out
    assert "broken promise: account: the resident set of p0" in out
    summary = run_json(capsys, "run", "small.toml", *hazard, code=1)
    assert summary["verdict"] == "violated"
    assert summary["violations"][0]["property"] == "account"
    unchecked = run_json(capsys, "run", "small.toml", *hazard, "--check", "off")
    assert (unchecked["verdict"], unchecked["violations"]) == ("unchecked", [])


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["run"], ["Missing argument"]),
        (["walk"], ["No such command 'walk'"]),
        (["run", "smal"], ["smal: there is no such file", "shipped are"]),
        (["run", "sqlite-snmaloc"], ["did you mean sqlite-snmalloc?"]),
        (["run", "small.toml", "--preset", "fatal-hol"], ["small.toml", "mean fatal-hole?"]),
        (["run", "small.toml", "--set", "machine.coes=2"], ["$.machine", "mean `cores`?"]),
        (["run", "small.toml", "--set", "machine.cores=0"], ["machine.cores=0", "`int` >= 1"]),
        (["run", "small.toml", "--set", "zeroing=inlin"], ["small.toml", "inlin"]),
        (["run", "small.toml", "--set", "zeroing"], ["write key=value"]),
        (["run", "small.toml", "--set", "hole_state=page-flag"], ["makes no sense", "fatal"]),
        (["run", "small.toml", "--set", "run.hazards=lost-akc"], ["mean lost-ack?"]),
        (["run", "small.toml", "--limit-ops", "0"], ["--limit-ops"]),
        (["run", "broken.toml"], ["broken.toml", "is not a TOML file", "Invalid value"]),
        (["run", "unknown.toml"], ["unknown.toml", "machin", "mean `machine`?"]),
        (["run", "line.toml"], ["line.toml: thread 0", "'stor' is no instruction"]),
        (["run", "note.txt"], ["note.txt: give a scenario (.toml)"]),
        (["run", "note.hzw"], ["note.hzw: not a holezero workload", "holezero import"]),
        (["replay", "note.txt"], ["note.txt: not a holezero trace"]),
        (["replay", "nothing.trace"], ["nothing.trace: cannot be read"]),
        (["trace", "show", "note.txt"], ["note.txt: not a holezero trace"]),
        (["import", "faults", "note.txt", "-o", "x.hzw"], ["note.txt"]),
        (["policies", "fatal-hol"], ["did you mean fatal-hole?"]),
    ],
)
def test_bad_input_exits_2_and_says_where_and_what_to_do(
    arguments: list[str], messages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.toml").write_text("cores =")
    Path("unknown.toml").write_text("[machin]\ncores = 1")
    Path("line.toml").write_text('[[thread]]\nrun = ["stor 1"]')
    Path("note.txt").write_text("a shopping list")
    Path("note.hzw").write_text("a shopping list")
    assert main(arguments) == 2
    shown = capsys.readouterr()
    for message in messages:
        assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not Path("runs").exists()


def test_a_workload_that_changed_is_not_run_for_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "small.toml", "--limit-ops", "5"]) == 0
    manifest = Path("runs/latest/manifest.json")
    manifest.write_text(manifest.read_text().replace('"map 0x10 8"', '"map 0x10 9"'))
    assert main(["run", str(manifest)]) == 2
    assert "has changed since" in capsys.readouterr().err


def test_an_unwritable_folder_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").write_text("in the way")
    assert main(["run", "small.toml"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_full_disk_is_said_and_leaves_no_half_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("cluster.runs.run_directory.os.fsync", full)
    assert main(["run", "small.toml", "--out", "full"]) == 2
    assert "full/manifest.json: cannot be written: No space left" in capsys.readouterr().err
    assert list(Path("full").iterdir()) == []


def test_a_replay_is_the_same_or_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.toml", "--trace", "full"]) == 0
    capsys.readouterr()
    result = run_json(capsys, "replay", "runs/latest")
    assert (result["same"], result["difference"]) == (True, None)
    assert main(["trace", "show", "runs/latest", "--actor", "core0", "--page", "0x10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all("core0" in line for line in lines)
    header = header_of(prepare(load(Path("small.toml"))))
    with TraceWriter(Path("other.trace"), header) as trace:
        trace.finish(End(deliveries=10, digest="00" * 16, complete=False))
    differs = run_json(capsys, "replay", "other.trace", code=3)
    assert "of the whole run" in differs["difference"]["recorded"]
    assert main(["replay", "other.trace"]) == 3
    assert "first difference" in capsys.readouterr().out


def test_an_error_of_the_program_keeps_the_folder_and_exits_70(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a machine is wrong")

    monkeypatch.setattr("cluster.results.meter.Results.noted", fail)
    assert main(["run", "small.toml"]) == 70
    shown = capsys.readouterr()
    assert "AssertionError: a machine is wrong" in shown.err
    assert "log.jsonl" in shown.err
    assert "Traceback" not in shown.err
    assert "a machine is wrong" in Path("runs/latest/log.jsonl").read_text()
    assert not Path("runs/latest/summary.json").exists()


def test_a_worker_that_dies_exits_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise WorkerDiedError("core1", Path("x.trace"), Cut(12, 3, ""))

    monkeypatch.setattr("cluster.commands.actions.runs.engine_of", lambda _: die)
    assert main(["run", "small.toml"]) == 4
    error = capsys.readouterr().err
    assert error.startswith("holezero: the process of core1 died: x.trace keeps 12 deliveries")
    assert Path("runs/latest/manifest.json").exists()


def test_every_promise_is_explained() -> None:
    assert set(PROPERTY_ABOUT) == set(Property)


@pytest.mark.parametrize("command", ["scenarios", "policies", "hazards", "policies fatal-hole"])
def test_what_there_is(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3
