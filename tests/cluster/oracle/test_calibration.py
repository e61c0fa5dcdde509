"""Profiles against measurements: published ones, and those of the machine at hand."""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.calibration import simulated
from cluster.calibration.experiments import EXPERIMENTS
from cluster.calibration.host_costs import Figure, read_figures
from cluster.calibration.host_profile import profile_of
from cluster.commands.profiles import sources
from cluster.input_error import InputError
from cluster.scenario.profile import load_profile, values
from kernel.costs import Profile
from kernel.policy.keys import Invalidate

FIGURES = {
    "syscall": Figure(95.4, 400),
    "zero_page": Figure(60, 400),
    "write_fault": Figure(1400, 400),
    "mprotect_page": Figure(1800, 400),
    "mprotect_entry": Figure(30, 400),
    "mprotect_invalidate": Figure(20, 400),
    "shootdown_first": Figure(12000, 400),
    "stolen": Figure(9000, 400),
}


def test_what_ships_is_within_tolerance_of_what_was_published(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["calibrate", "--check", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert len(findings) == 3 * len(EXPERIMENTS)
    run = {(one["experiment"], one["profile"]) for one in findings if one["within"]}
    assert run == {(e.id, p) for e in EXPERIMENTS for p in e.profiles}
    for one in findings:
        assert bool(one["not_run"]) == (one["measured"] is None) == (one["within"] is None)


def test_every_experiment_of_the_list_is_there() -> None:
    assert {one.id.split()[0] for one in EXPERIMENTS} == {f"V{i}" for i in range(1, 7)}


def test_what_all_pages_of_a_shootdown_share_is_counted_in_pages() -> None:
    profile = load_profile("x86-ipi")
    costs, latencies = profile.costs, profile.latencies
    # the last acknowledgement and the core's own invalidation follow one another
    fixed = costs.ipi_send_ns + 2 * latencies.core_core_ns + costs.ipi_ack_ns + latencies.core_vm_ns
    found = simulated.fixed_in_pages(profile, Invalidate.EAGER_IPI)
    assert 0 < found < fixed / costs.local_invalidate_page_ns


def test_a_profile_that_is_off_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("cluster/shipped/profiles/x86-ipi.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(
        text.replace('"x86-ipi"', '"mine"\nlike = "x86-ipi"').replace(
            "zap_page_ns = 200", "zap_page_ns = 900"
        )
    )
    few = tuple(one for one in EXPERIMENTS if one.id in ("V5 zap", "V5 fault", "V6"))
    monkeypatch.setattr("cluster.calibration.experiments.EXPERIMENTS", few)
    assert main(["calibrate", "--check", "--profile", str(mine)]) == 1
    shown = capsys.readouterr().out
    assert "NOT WITHIN" in shown
    assert re.search(r" 90\d(\.\d)? ns ", shown)
    assert "not run: measured on machines of arm64-cheri" in shown


def test_figures_of_other_machines_say_nothing_of_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("cluster/shipped/profiles/x86-ipi.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace('"x86-ipi"', '"mine"'))
    assert main(["calibrate", "--check", "--profile", str(mine), "--json"]) == 0
    told = capsys.readouterr()
    assert {one["within"] for one in json.loads(told.out)["findings"]} == {None}
    assert 'like = "x86-ipi"' in told.err
    mine.write_text(text.replace('"x86-ipi"', '"mine"\nlike = "x86"'))
    assert main(["calibrate", "--check", "--profile", str(mine)]) == 2
    assert "is no shipped profile: arm64-cheri, x86-invlpgb, x86-ipi" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["--check", "--host"], ["--check", "-o", "x"], ["--host", "--json"]]
)
def test_options_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    assert main(["calibrate", *arguments]) == 2


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("write_fault", simulated.fault_ns),
        ("mprotect_page", partial(simulated.mprotect_ns, cores=1)),
    ],
)
def test_the_model_of_a_measured_host_measures_the_same(
    name: str, measure: Callable[[Profile], float]
) -> None:
    made = profile_of(load_profile("x86-ipi"), FIGURES, by_interrupts=True)
    assert measure(made.profile) == pytest.approx(FIGURES[name].ns, abs=2)


def test_a_first_target_adds_what_it_did_on_the_host() -> None:
    made = profile_of(load_profile("x86-ipi"), FIGURES, by_interrupts=True).profile
    added = simulated.mprotect_ns(made, 2) - simulated.mprotect_ns(made, 1)
    assert added == pytest.approx(FIGURES["shootdown_first"].ns, abs=4)


def test_its_file_says_what_was_measured_and_what_not(tmp_path: Path) -> None:
    base = load_profile("x86-ipi")
    made = profile_of(base, FIGURES, by_interrupts=True)
    path = tmp_path / "host.toml"
    path.write_text(made.text("This host, a test"))
    read, beside = load_profile(str(path)), sources(path)
    assert read.name == "host"
    assert values(read) == values(made.profile)
    assert read.costs.syscall_ns == 95
    assert (
        beside["costs", "syscall_ns"]
        == "measured on this host, median of 400: an empty system call"
    )
    assert beside["costs", "flag_page_ns"] == "from x86-ipi, not measurable here"
    # nothing is left for it
    assert read.costs.local_invalidate_page_ns == base.costs.local_invalidate_page_ns
    assert "left nothing" in beside["costs", "local_invalidate_page_ns"]


def test_where_shootdowns_are_no_interrupts_they_stay_the_bases() -> None:
    base = load_profile("x86-ipi")
    made = profile_of(base, FIGURES, by_interrupts=False).profile
    assert made.latencies == base.latencies
    assert made.costs.ipi_handler_ns == base.costs.ipi_handler_ns


@pytest.mark.parametrize("line", ["syscall 95.4", "syscall nan 4", "syscall 1.0 0", "a b c d"])
def test_what_a_measurement_must_not_print(line: str) -> None:
    with pytest.raises(InputError, match="the measurement gave"):
        read_figures([line], lambda _: None)


@pytest.mark.parametrize(("compiler", "told"), [("", "none of cc, gcc, clang"), ("ccc", "CC=ccc")])
def test_without_a_compiler_it_says_so(
    compiler: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["calibrate", "--host"]) == 2
    assert told in capsys.readouterr().err


def test_a_compiler_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["calibrate", "--host", "-q"]) == 2
    assert "false failed" in capsys.readouterr().err


def test_this_machine_is_measured_and_its_profile_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a user's machine: the suite runs on Linux with a C compiler, as the README says."""
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", "--host", "-o", "host.toml"]) == 0
    assert "syscall: " in capsys.readouterr().err
    Path("small.toml").write_text(
        '[machine]\nprofile = "host.toml"\n[[thread]]\nrun = ["map 1 4"]\n'
    )
    assert main(["run", "small.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["profile"] == "host.toml"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("echo syscall 95.0 400; echo no cpu >&2; exit 1", "the measurement failed: no cpu"),
        ("echo syscall 95.0 400; kill -9 $$", "the measurement failed: it ended with -9"),
        ("echo what is this", "the measurement gave 'what is this'"),
    ],
)
def test_a_measurement_that_fails_is_told(
    program: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Make a compiler whose programs fail: it puts a script in place of the program."""
    script, compiler = tmp_path / "program", tmp_path / "cc"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    compiler.write_text(f'#!/bin/sh\ncp {script} "$4"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["calibrate", "--host", "-q"]) == 2
    assert told in capsys.readouterr().err
