"""Hunts: the loop and the command with runs made in this process, and one on a real cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.hardware.memory import Memory
from actors.messages import Load
from cluster.__main__ import main
from cluster.explore.found.named import along
from cluster.explore.found.witness import write_witness
from cluster.explore.walk import Walks
from cluster.live.errors import LiveError, MachineRaisedError, WorkerDiedError
from cluster.live.hunt import RUNNING_TRACE, Find, Hunted, MakeRun, Watch, hunt
from cluster.live.hunt_plan import Plan
from cluster.replay.causal_cut import Cut
from cluster.replay.replaying import replay
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from tests.support.command_line import run_json

PROGRAM = ["map 1 1", "load 1", "hole 1 1", "hole 1 1"]
#: both show in every order, resident-set-drift later
FOREIGN, DRIFT = "foreign-frame", "resident-set-drift"


def one_thread(*hazards: str) -> Setup:
    data = {"thread": [{"name": "a", "run": PROGRAM}], "run": {"hazards": list(hazards)}}
    return prepare(parse(data, "one-thread"))


def runs_of(*runs: tuple[str, ...], cut: bool = False) -> MakeRun:
    """Make runs with these hazards in turn, always delivering the oldest message first."""
    left = list(runs)

    def make_run(path: Path, jitter: int | None, progress: Callable[[int], None]) -> bool:
        setup = one_thread(*left.pop(0))
        _, order = along(Walks(setup), (), to_rest=True)
        channels = order.path[: len(order.path) // 2] if cut else order.path
        progress(len(channels))
        end = write_witness(path, setup, channels, "")
        if end.failures:
            raise MachineRaisedError(end.failures, path)
        return end.complete

    return make_run


def hunted(folder: Path, make_run: MakeRun, plan: Plan, **more: Any) -> Hunted:  # noqa: ANN401
    found = Hunted()
    hunt(one_thread(), plan, folder, make_run, hunted=found, **more)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The loop.


def test_every_run_has_another_jitter() -> None:
    plans = [Plan(runs=50, jitter=True, seed=seed) for seed in range(3)]
    assert len({plan.jitter_of(run) for plan in plans for run in range(1, 51)}) == 150
    assert Plan(runs=1).jitter_of(1) is None


def test_it_ends_with_the_first_run_that_breaks_a_promise(tmp_path: Path) -> None:
    make_run, seen = runs_of((), (), (FOREIGN,), ()), []
    plan = Plan(runs=9, jitter=True, seed=2)
    found = hunted(tmp_path, make_run, plan, watch=lambda h, n: seen.append((h.runs, n > 0)))
    assert (found.runs, found.broke, found.first_at_run) == (3, 1, 3)
    assert found.properties == {"isolate": 1}
    assert seen == [(0, False), (0, True), (1, False), (1, True), (2, False), (2, True)]
    (find,) = found.found
    assert (find.property, find.run, find.jitter) == ("isolate", 3, 2_000_003)
    assert names(tmp_path) == ["run.trace"]
    assert find.trace == str(tmp_path / "run.trace")
    result = replay(Path(find.trace))
    assert result.same
    assert result.deliveries == find.deliveries


def test_nothing_found_leaves_nothing(tmp_path: Path) -> None:
    found = hunted(tmp_path, runs_of((), ()), Plan(runs=2))
    assert (found.runs, found.broke, found.first_at_run, found.found) == (2, 0, None, [])
    assert names(tmp_path) == []


def test_all_counts_and_keeps_the_first_trace_of_each_property(tmp_path: Path) -> None:
    runs = ((DRIFT,), (), (FOREIGN,), (FOREIGN,))
    found = hunted(tmp_path, runs_of(*runs), Plan(runs=4, all=True))
    assert (found.runs, found.broke) == (4, 3)
    assert found.properties == {"account": 1, "isolate": 2}
    assert [(find.property, find.run) for find in found.found] == [("account", 1), ("isolate", 3)]
    assert names(tmp_path) == ["run-isolate.trace", "run.trace"]
    assert all(replay(tmp_path / name).same for name in names(tmp_path))


def test_a_machine_that_raises_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(*_: object) -> None:
        raise AssertionError("no such load")

    monkeypatch.setitem(Memory.HANDLERS, Load, bad)
    found = hunted(tmp_path, runs_of(()), Plan(runs=1))
    assert found.properties == {"protocol": 1}
    assert found.found[0].text.startswith("memory0: ")
    assert replay(tmp_path / "run.trace").failures == {"memory0": "AssertionError: no such load"}


def test_a_run_that_was_cut_counts_unless_somebody_wanted_an_end(tmp_path: Path) -> None:
    runs = ((), ())
    found = hunted(tmp_path, runs_of(*runs, cut=True), Plan(runs=2))
    assert (found.runs, found.cut, found.properties) == (2, 2, {})
    found = hunted(tmp_path, runs_of(*runs, cut=True), Plan(runs=2), stop=lambda: True)
    assert (found.runs, found.cut) == (0, 0)
    assert names(tmp_path) == []


def test_a_run_that_fails_leaves_its_trace_and_what_was_found(tmp_path: Path) -> None:
    make = runs_of((FOREIGN,), ())

    def fails(path: Path, jitter: int | None, progress: Callable[[int], None]) -> bool:
        complete = make(path, jitter, progress)
        if (tmp_path / "run.trace").exists():
            raise LiveError("the network is gone")
        return complete

    found = Hunted()
    with pytest.raises(LiveError, match="the network is gone"):
        hunt(one_thread(), Plan(runs=5, all=True), tmp_path, fails, hunted=found)
    assert (found.runs, found.broke) == (1, 1)
    assert names(tmp_path) == ["run.trace", RUNNING_TRACE]


# The command.


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = f'[[thread]]\nname = "a"\nrun = {json.dumps(PROGRAM)}\n'
    (tmp_path / "one.toml").write_text(threads)
    monkeypatch.chdir(tmp_path)


def hunts(monkeypatch: pytest.MonkeyPatch, make_run: MakeRun, ends: str = "") -> None:
    """Let the command make these runs; they end by a `signal`, or because a worker `died`."""

    def instead(setup: Setup, plan: Plan, folder: Path, *, hunted: Hunted, watch: Watch) -> None:
        hunt(setup, plan, folder, make_run, hunted=hunted, watch=watch)
        hunted.signal = 2 if ends == "signal" else 0
        if ends == "died":
            raise WorkerDiedError("core0", folder / RUNNING_TRACE, Cut(12, 3, ""))

    monkeypatch.setattr("cluster.commands.actions.hunting.hunt_on_ray", instead)


@pytest.mark.usefixtures("in_empty_folder")
def test_what_is_found_is_kept_and_made_small(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hunts(monkeypatch, runs_of((), (FOREIGN,)))
    found = run_json(capsys, "hunt", "one.toml", "-q", "--out", "o", "--jitter", code=1)
    assert (found["runs"], found["broke"], found["first_at_run"]) == (2, 1, 2)
    assert (found["jitter"], found["error"], found["not_shrunk"]) == (True, "", "")
    (trace,) = found["traces"]
    assert (trace["trace"], trace["jitter"]) == ("o/run.trace", 2)
    small = found["shrunk"]
    assert (small["trace"], small["property"]) == ("o/run.small.trace", "isolate")
    assert small["after"]["instructions"] < small["before"]["instructions"] == len(PROGRAM)
    assert json.loads(Path("o/hunt.json").read_text()) == found
    assert main(["replay", small["trace"]]) == 0


@pytest.mark.usefixtures("in_empty_folder")
def test_it_tells_a_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hunts(monkeypatch, runs_of((FOREIGN,)))
    assert main(["hunt", "one.toml"]) == 1
    out = capsys.readouterr().out
    assert "1 of 1 runs broke a promise" in out
    assert "hazard foreign-frame" in out
    assert "broken: isolate: " in out
    assert sorted(names(Path("runs/latest"))) == ["hunt.json", "run.small.trace", "run.trace"]
    hunts(monkeypatch, runs_of((FOREIGN,)))
    assert run_json(capsys, "hunt", "one.toml", "-q", "--no-shrink", code=1)["shrunk"] is None
    assert names(Path("runs/latest")) == ["hunt.json", "run.trace"]


@pytest.mark.usefixtures("in_empty_folder")
def test_nothing_found_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hunts(monkeypatch, runs_of((), ()))
    assert main(["hunt", "one.toml", "--runs", "2"]) == 0
    assert "nothing was found, which proves nothing" in capsys.readouterr().out


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(("ends", "code"), [("signal", 130), ("died", 4)])
def test_whatever_ends_it_what_was_found_is_kept(
    ends: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hunts(monkeypatch, runs_of((FOREIGN,)), ends)
    found = run_json(capsys, "hunt", "one.toml", "-q", "--out", "o", code=code)
    assert (found["broke"], found["shrunk"]) == (1, None)
    assert found["interrupted"] == (ends == "signal")
    assert ("the process of core0 died" in found["error"]) == (ends == "died")
    assert ("holezero shrink o/run.trace" in found["not_shrunk"]) == (ends == "signal")
    assert names(Path("o")) == ["hunt.json", "run.trace"]
    assert json.loads(Path("o/hunt.json").read_text()) == found


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    "arguments",
    [("--engine", "inline"), ("--runs", "0"), ("--set", "run.hazards=no-such"), ("--out", ".")],
)
def test_bad_input(arguments: tuple[str, str]) -> None:
    assert main(["hunt", "one.toml", *arguments]) == 2


# On Ray.

LONG = f"""
[machine]
cores = 1
[run]
hazards = ["{FOREIGN}"]
[[thread]]
name = "a"
run = {json.dumps(["map 1 4", "load 1 4", *["store 1 4", "hole 1 4", "zero 1 4"] * 60])}
"""


@pytest.mark.live
@pytest.mark.filterwarnings("ignore")  # what Ray leaves open in its own process is Ray's
def test_live_runs_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text(LONG)
    # each run is stopped in the middle: nothing of it may reach the next
    arguments = ("--runs", "4", "--all", "--jitter", "--limit-ops", "100", "--out", "o")
    found = run_json(capsys, "hunt", "one.toml", "-q", *arguments, code=1)
    assert (found["runs"], found["broke"], found["properties"]) == (4, 4, {"isolate": 4})
    (find,) = (Find(**one) for one in found["traces"])
    assert 100 <= find.deliveries < 2000
    result = replay(Path(find.trace))
    assert result.same
    assert not result.end.complete
    assert found["shrunk"]["after"]["instructions"] == 2
    assert replay(Path(found["shrunk"]["trace"])).same
