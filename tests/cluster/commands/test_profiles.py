"""Cost profiles: what they must say, how they are shown, and what contention costs."""

from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.commands.profiles import sources
from cluster.scenario.profile import load_profile, profile_path, values
from tests.actors.test_topology import run, setup_of, thread

SHIPPED = ("arm64-cheri", "x86-invlpgb", "x86-ipi")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_gives_every_value_with_its_source(name: str) -> None:
    beside = sources(profile_path(name))
    assert load_profile(name).name == name
    keys = [(table, key) for table, key, _ in values(load_profile(name))]
    assert [key for key in keys if not beside.get(key)] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_they_are_listed_and_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    assert name in capsys.readouterr().out
    assert main(["profiles", name]) == 0
    rows = capsys.readouterr().out.splitlines()
    (row,) = [row for row in rows if row.startswith("costs.local_flush_ns")]
    assert row.split()[2:4] == ["ns", "[S43]" if name == "x86-ipi" else "[E]"]


def test_only_a_machine_with_broadcast_has_its_costs() -> None:
    issue = {name: load_profile(name).costs.tlbi_issue_ns for name in SHIPPED}
    assert {name for name, ns in issue.items() if ns} == {"arm64-cheri", "x86-invlpgb"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "shipped are arm64-cheri, x86-invlpgb, x86-ipi"),
        ("name = 'x'\n[costs]\nsyscal_ns = 3\n", "did you mean `syscall_ns`"),
        ("name = 'x'\n[costs]\nsyscall_ns = -1\n", "costs.syscall_ns=-1"),
        ("name = 'x'\n[costs]\nfull_flush_pages = 33\n", "it is gone: how much is flushed"),
    ],
)
def test_what_is_wrong_with_one_is_told(
    text: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    assert main(["profiles", str(path)]) == 2
    assert told in capsys.readouterr().err


def faults_ns(other: int | None, domains: int) -> int:
    """Measure faults of a thread on core 0, with another thread that faults on core `other`."""
    threads = [thread("a", 0, "map 0x100 256", "map 0x300 256", "create b", "store 0x100 256")]
    rest = () if other is None else ("store 0x300 256",)
    threads.append(thread("b", other or 0, *rest, initial=False))
    costs = {"contention_ns": 100, "contention_other_domain_ns": 1000}
    results, _ = run(setup_of({"cores": 4, "domains": domains}, threads, costs=costs))
    mean = results.metrics()["fault_latency"]["mean_ns"]
    assert mean is not None
    return mean


def test_who_is_in_the_kernel_at_once_pays_for_the_other_by_distance() -> None:
    alone, near, far = faults_ns(None, 2), faults_ns(1, 2), faults_ns(2, 2)
    assert alone < near <= alone + 100
    assert alone + 500 < far <= alone + 1100
