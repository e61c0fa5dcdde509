"""`explore`, `shrink` and `hazards --check` from outside: verdicts, exit codes, kept traces."""

import json
import os
import signal
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.explore import catalogue_check, strategy_api
from cluster.explore.search import NETWORK
from cluster.explore.strategy_api import Broken
from cluster.input_error import InputError
from cluster.runs.interruption import Interruption
from cluster.trace.format import header_of
from cluster.trace.writer import TraceWriter
from tests.cluster.explore.test_judged import judged
from tests.support.command_line import run_json

HELD = ("explore", "one-page", "--preset", "flag-only", "--grain", "fused")
BROKEN = ("explore", "hazard-no-restart-after-busy")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("strategy", ["bfs", "dfs", "dpor"])
def test_what_holds_in_every_order(strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, *HELD, "--strategy", strategy)
    assert (found["verdict"], found["complete"], found["found"]) == ("held", True, [])
    assert found["network"] == NETWORK
    assert found["bound"] == "none"
    assert found["dependency"]
    assert "zero-weak" in found["promises"]
    if strategy != "dpor":
        assert found["states"] == 362
    assert not Path("runs").exists()


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_drawn_orders_prove_nothing(strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, *HELD, "--strategy", strategy, "--budget", "20", code=5)
    assert (found["verdict"], found["complete"], found["orders"]) == ("budget exhausted", False, 20)
    assert main([*HELD, "--strategy", strategy, "--budget", "20"]) == 5
    assert "undecided: the budget was spent" in capsys.readouterr().out


def test_delays_are_a_bound_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    within = (*HELD, "--strategy", "delay", "--delays", "1")
    found = run_json(capsys, *within, code=5)
    assert (found["verdict"], found["complete"]) == ("not proved", True)
    assert found["bound"] == "at most 1 deliveries are put off"
    assert main([*within]) == 5
    assert "held within the bound; orders beyond it may break a promise" in capsys.readouterr().out


def test_a_spent_budget_is_not_held(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, *HELD, "--strategy", "bfs", "--budget", "100", code=5)
    assert (found["states"], found["verdict"]) == (100, "budget exhausted")


@pytest.mark.parametrize("strategy", ["bfs", "dfs", "dpor", "random", "pct"])
def test_a_broken_promise_is_kept_and_replays(
    strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, *BROKEN, "--strategy", strategy, "--budget", "10s", code=1)
    (finding,) = found["found"]
    assert finding["property"] in ("translation", "isolate")
    assert main(["replay", finding["trace"]]) == 0
    assert main(["replay", "runs/latest"]) == 0
    assert "every message compared" in capsys.readouterr().out


def test_all_keeps_one_trace_a_property(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(
        capsys, *HELD, "--strategy", "bfs", "--all", "--out", "o",
        "--promise", "zero-strong", "--promise", "fatal", code=1,
    )  # fmt: skip
    assert {one["property"]: one["trace"] for one in found["found"]} == {
        "fatal": "o/run.trace",
        "zero-strong": "o/zero-strong.trace",
    }
    for one in found["found"]:
        assert main(["replay", one["trace"]]) == 0
    capsys.readouterr()
    kept = json.loads(Path("o/explored.json").read_bytes())
    assert kept == found
    assert kept["wall_s"] > 0


def test_a_folder_that_cannot_be_had_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    search = (*HELD, "--strategy", "bfs", "-q", "--out", "o")
    assert main(list(search)) == main(list(search)) == 0
    assert Path("o.1/explored.json").is_file()
    Path("full").mkdir()
    Path("full/mine").touch()
    assert main([*search[:-1], "full", "--budget", "8h"]) == 2
    assert "the folder holds something else" in capsys.readouterr().err


def test_what_was_found_before_an_interruption_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(found: list[Broken], broken: Broken) -> None:
        strategy_api.keep(found, broken)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("cluster.explore.strategies.orders.keep", keep)
    search = (*BROKEN, "--strategy", "random", "--all", "--budget", "1h")
    found = run_json(capsys, *search, code=130)
    assert (found["orders"], found["verdict"]) == (41, "violated")
    assert main(["replay", "runs/latest"]) == 0


def test_the_same_seed_draws_the_same_orders(capsys: pytest.CaptureFixture[str]) -> None:
    first, again, other = (
        run_json(capsys, *BROKEN, "--strategy", "random", "--seed", seed, code=1)
        for seed in ("3", "3", "4")
    )
    assert first["orders"] == again["orders"]
    assert first["deliveries"] == again["deliveries"] != other["deliveries"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explore", "one-page", "--budget", "soon"), "--budget soon: give a number, or a time"),
        (("explore", "one-page", "--budget", "0"), "--budget 0"),
        (("explore", "one-pag"), "did you mean one-page?"),
        (("hazards", "lost-ac"), "did you mean lost-ack?"),
        (("hazards", "--check", "--budget", "5"), "give a time"),
        (("shrink", "nothing.trace"), "nothing.trace"),
    ],
)
def test_bad_input(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(arguments)) == 2
    assert message in capsys.readouterr().err


def test_shrink_tells_a_story_beside_the_correct_variant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*BROKEN, "--strategy", "pct", "-q"]) == 1
    assert main(["shrink", "runs/latest", "-q"]) == 0
    shown = capsys.readouterr().out
    assert "deliveries 36 (the shortest order)" in shown
    assert "thread b in process 0: store 1" in shown
    assert "the correct variant does something else\n  it sends core1: PageFault" in shown
    assert "broken: translation: frame 0x0 is freed, but core1 may still use" in shown
    assert main(["replay", "runs/latest/run.small.trace"]) == 0
    capsys.readouterr()
    found = run_json(capsys, "shrink", "runs/latest/run.small.trace")
    assert found["before"] == found["after"]
    assert found["steps"] == []
    assert found["story"]["steps"][0]["message"] == "SwitchIn asid=0"


def test_shrinking_that_is_stopped_keeps_what_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*BROKEN, "--strategy", "random", "-q"]) == 1
    tries = []

    def asked_for(self: Interruption) -> int:
        tries.append(1)
        return 2 if len(tries) > 3 else 0

    monkeypatch.setattr(Interruption, "number", property(asked_for, lambda *_: None), raising=False)
    capsys.readouterr()
    assert main(["shrink", "runs/latest", "--json", "-q"]) == 130
    assert json.loads(capsys.readouterr().out)["stopped"] is True
    assert main(["replay", "runs/latest/run.small.trace", "-q"]) == 0


def test_a_search_that_found_nothing_has_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*HELD, "--out", "kept", "-q"]) == 0
    assert main(["shrink", "kept"]) == main(["trace", "show", "kept"]) == 2
    assert capsys.readouterr().err.count("holds a search that found nothing") == 2


def test_a_trace_that_is_cut_short_may_lack_what_breaks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*BROKEN, "--strategy", "bfs", "-q", "--out", "kept"]) == 1
    setup = judged("flag-only", (), "zero-strong")
    with TraceWriter(Path("cut.trace"), header_of(setup, engine="explored", kind="full")) as trace:
        trace.flush()
    assert main(["shrink", "cut.trace", "-q"]) == 2
    assert "but the trace is cut short, and has no more" in capsys.readouterr().err


def test_shrink_refuses_what_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "one-page", "--trace", "full"]) == 0
    assert main(["shrink", "runs/latest"]) == 2
    assert "breaks no promise of its policy" in capsys.readouterr().err
    assert main(["run", "main-job", "--limit-ops", "2000"]) == 0
    assert main(["shrink", "runs/latest"]) == 2
    assert "recorded workload" in capsys.readouterr().err


def test_an_inline_run_shrinks_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "hazard-foreign-frame", "-q"]) == 1
    capsys.readouterr()
    found = run_json(capsys, "shrink", "runs/latest")
    assert found["property"] == "isolate"
    # with fused steps, as it ran
    assert found["after"] == {"cores": 1, "threads": 1, "instructions": 2, "deliveries": 9}


def test_the_catalogue_is_checked_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept").mkdir()
    found = run_json(
        capsys, "hazards", "--check", "ack-before-flush", "--budget", "1s", "--save", "kept"
    )
    (hazard,) = found["hazards"]
    assert hazard["name"] == "ack-before-flush"
    assert hazard["found"]
    assert hazard["trace_length"] == 19
    assert hazard["orders"] == 1
    assert hazard["twin_held"]
    assert found["presets"] == []
    assert main(["replay", "kept/ack-before-flush.trace"]) == 0


@pytest.mark.parametrize(
    ("strategy", "first"), [("bfs", "100"), ("dfs", "100"), ("dpor", "10"), ("delay", "30")]
)
def test_a_search_goes_on_from_its_checkpoint(
    strategy: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    search = (*HELD, "--strategy", strategy)
    code = 5 if strategy == "delay" else 0
    whole = run_json(capsys, *search, code=code)
    kept = (*search, "--checkpoint", "kept.search")
    assert run_json(capsys, *kept, "--budget", first, code=5)["complete"] is False
    resumed = run_json(capsys, *kept, code=code)
    again = run_json(capsys, *kept, code=code)
    for key in ("verdict", "complete", "states", "orders", "blocked", "longest"):
        assert whole[key] == resumed[key] == again[key], key


def test_drawn_orders_go_on_after_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    search = (*BROKEN, "--strategy", "random", "--all")
    whole = run_json(capsys, *search, "--budget", "90", code=1)
    kept = (*search, "--checkpoint", "kept.search")
    run_json(capsys, *kept, "--budget", "45", code=1)
    resumed = run_json(capsys, *kept, "--budget", "90", code=1)
    assert resumed["deliveries"] == whole["deliveries"]
    assert resumed["broken"] == whole["broken"]


@pytest.mark.parametrize("strategy", ["bfs", "dfs", "dpor", "random", "pct", "delay"])
def test_a_spent_budget_stays_spent(strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (*HELD, "--strategy", strategy, "--budget", "20", "--checkpoint", "kept.search")
    first, second = (run_json(capsys, *kept, code=5) for _ in range(2))
    for key in ("verdict", "complete", "states", "orders"):
        assert first[key] == second[key], key


def test_a_checkpoint_is_of_one_search(capsys: pytest.CaptureFixture[str]) -> None:
    kept = ("--checkpoint", "kept.search", "--budget", "10", "-q")
    assert main([*HELD, *kept]) == 5
    assert main([*HELD, "--preset", "apple", *kept]) == 2
    assert main([*HELD, "--strategy", "pct", *kept]) == 2
    assert main([*HELD, "--promise", "zero-strong", *kept]) == 2
    whole = Path("kept.search").read_bytes()
    for at in range(0, len(whole), 97):  # with one bit changed
        Path("kept.search").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert main([*HELD, *kept]) == 2
    for damaged in (b"", b"no search", whole[:-1]):
        Path("kept.search").write_bytes(damaged)
        assert main([*HELD, *kept]) == 2
    shown = capsys.readouterr().err
    assert "is a search of another scenario or policy" in shown
    assert shown.count("is a search with other options") == 2
    assert "is not a checkpoint of a search, or is damaged" in shown


def test_what_was_found_is_told_though_it_cannot_be_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> None:
        raise InputError(f"{path}: cannot be written: No space left on device.")

    monkeypatch.setattr("cluster.explore.checkpoint.write_atomically", full)
    kept = ("--checkpoint", "kept.search", "--strategy", "bfs", "-q")
    assert main([*BROKEN, *kept, "--out", "found"]) == 1
    assert "violated: " in capsys.readouterr().out
    assert main(["replay", "found", "-q"]) == 0
    assert main([*HELD, *kept]) == 0
    assert main([*HELD, *kept, "--budget", "10"]) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_a_hazard_that_its_correct_twin_shows_too_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a hazard, flag-only breaks zero-strong; judged as promised, its twin does, too."""
    monkeypatch.setattr(
        catalogue_check,
        "_with",
        lambda *_: judged("flag-only", (), "zero-strong"),
    )
    assert main(["hazards", "--check", "foreign-frame", "--budget", "2s", "-q"]) == 1
    assert "without it, too" in capsys.readouterr().out


def test_a_preset_with_orders_left_is_undecided(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.commands.actions.hazard_check.check_hazards", lambda *_: [])
    assert main(["hazards", "--check", "--budget", "1ms", "-q"]) == 5
    assert "258     25     no" in capsys.readouterr().out
