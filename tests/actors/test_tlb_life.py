"""Entries leave a TLB by a timer: at any time when exploring, in due time in a timed run."""

from pathlib import Path

import pytest

from actors.core.machine import Core
from actors.lanes import lane_name, lane_named
from actors.settings import KERNEL_LANE, TLB_LANE
from cluster.__main__ import main
from cluster.explore.world import World
from cluster.hosts.channel import Channel
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from kernel.units import ASID_SHIFT
from tests.support.traced_runs import host_of

LOADS = ["map 1 2", "load 1", "load 2", "think 9000", "load 1"]


def setup(*threads: dict[str, object], **machine: int) -> Setup:
    data = {"machine": {"cores": 1, **machine}, "thread": [{"core": 0, **t} for t in threads]}
    return prepare(parse(data, "tiny"))


def leaving(world: World) -> list[Channel]:
    """List the channels of entries that may leave next."""
    return [channel for channel in world.enabled() if channel[2] >= TLB_LANE]


def with_two_entries(start: World) -> World:
    """Go on, with no entry leaving, until the core has two."""
    world = start
    while len(leaving(world)) < 2:
        others = [channel for channel in world.enabled() if channel not in leaving(world)]
        world = world.deliver(others[0])
    return world


@pytest.mark.parametrize(
    "threads",
    [
        [{"name": "a", "run": LOADS}],
        [{"name": name, "process": p, "run": ["map 1 1", "load 1"]} for p, name in enumerate("ab")],
    ],
    ids=["two-pages", "two-processes"],
)
def test_any_of_two_may_leave_and_the_other_stay(threads: list[dict[str, object]]) -> None:
    world = with_two_entries(World(setup(*threads, tlb_life_ns=1)))
    before = core(world).accesses.tlb.rows()
    assert len(before) == 2
    for channel in leaving(world):
        assert len(core(world.deliver(channel)).accesses.tlb.rows()) == 1
    left = [core(world.deliver(channel)).accesses.tlb.rows()[0] for channel in leaving(world)]
    assert sorted(left) == before


def core(world: World) -> Core:
    machine = world.machines[0]
    assert isinstance(machine, Core)
    return machine


def walks(life_ns: int) -> int:
    """Count the walks of a timed run."""

    class Walks:
        seen = 0

        def started(self, *_: object) -> None:
            pass

        def delivered(self, *delivery: object) -> None:
            self.seen += type(delivery[4]).__name__ == "Walk"

        def noted(self, *_: object) -> None:
            pass

    counted = Walks()
    host = host_of(setup({"name": "a", "run": LOADS}, tlb_life_ns=life_ns), observers=(counted,))
    host.start()
    assert host.run()
    return counted.seen


def test_in_a_timed_run_it_is_walked_for_again() -> None:
    assert walks(100_000) == walks(0) == walks(5_000) - 1


def test_a_trace_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert (
        main(["run", "one-page", "--set", "machine.tlb_life_ns=300", "--out", str(run), "-q"]) == 0
    )
    assert main(["replay", str(run), "-q"]) == 0
    capsys.readouterr()
    assert main(["trace", "show", str(run), "--op", "tlb.p0.0x1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("Evict asid=0 vpn=0x1" in line for line in lines) == 2


@pytest.mark.parametrize("va", [0, 1, 0x7FFF_FFFF, 3 << ASID_SHIFT | 1])
def test_names_of_lanes(va: int) -> None:
    lane = TLB_LANE + va
    name = lane_name(lane, ["a"], ["core0"])
    assert name == f"tlb.p{va >> ASID_SHIFT}.0x{va & (1 << ASID_SHIFT) - 1:x}"
    assert lane_named(name, ["a"], ["core0"]) == lane


@pytest.mark.parametrize(
    "name", ["tlb", "tlb.p0.0x-5", "tlb.p0.0x0x1", "tlb.p.0x1", "tlb.p0.1", "b"]
)
def test_names_that_no_lane_has(name: str) -> None:
    assert lane_named(name, ["a"], ["core0"]) is None
    assert lane_name(-1, ["a"], ["core0"]) == "-1"
    assert lane_name(KERNEL_LANE + 5, ["a"], ["core0"]) == str(KERNEL_LANE + 5)
