"""States up to exchanges of identical cores: as many as there are orbits of states."""

from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from cluster.__main__ import main
from cluster.explore.checkpoint import Keeper
from cluster.explore.choices import Chosen, Strategy
from cluster.explore.search import explore
from cluster.explore.strategies.stateful import search
from cluster.explore.symmetry import Exchange, Orbit, exchanges_of
from cluster.explore.workers.crew import HereCrew
from cluster.explore.workers.shares import share_of
from cluster.explore.world import World
from cluster.hosts.channel import Channel, in_fixed_order
from cluster.input_error import InputError
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare

Program = list[str]


def setup(preset: str, *programs: Program, first: Program, hazard: str = "") -> Setup:
    """Make a setup of one core more than programs; the threads begin together."""
    data = {
        "machine": {"cores": 1 + len(programs), "grain": "fused"},
        "policy": {"preset": preset},
        "thread": [
            {"name": name, "core": core, "run": run}
            for core, (name, run) in enumerate(zip("abcdefghij", (first, *programs), strict=False))
        ],
        "run": {"hazards": [hazard] if hazard else []},
    }
    return prepare(parse(data, "alike"))


class EveryState(Orbit):
    """Takes no images for equal, and notes which there are."""

    __slots__ = ()
    orbits: ClassVar[set[frozenset[bytes]]] = set()

    def fingerprint(self) -> bytes:
        every = [world.fingerprint() for world in self.worlds]
        self.orbits.add(frozenset(every))
        return every[0]


class Toy:
    """Cores 1 and 2 may take p and q; only the second remembers in which order."""

    def __init__(self, first: str = "", second: str = "", *, over: bool = False) -> None:
        self.first, self.second, self.over = first, second, over

    def enabled(self) -> list[Channel]:
        found: list[Channel] = []
        for core, mine, other in ((1, self.first, self.second), (2, self.second, self.first)):
            left = [] if other else [place for place, part in enumerate("pq") if part not in mine]
            found += [(core, 0, place) for place in left]
        if 2 in (len(self.first), len(self.second)) and not self.over:
            found.append((3, 0, 0))
        return in_fixed_order(found)

    def deliver(self, channel: Channel) -> "Toy":
        core, _, place = channel
        if core == 3:
            return Toy(self.first, self.second, over=True)
        if core == 1:
            return Toy("".join(sorted(self.first + "pq"[place])), self.second)
        return Toy(self.first, self.second + "pq"[place])

    def fingerprint(self) -> bytes:
        return repr((self.first, self.second, self.over)).encode()

    def broken(self) -> str:
        return "keep" if self.over and self.second == "qp" else ""

    def ended(self) -> str:
        return ""


ONE = ["await a 1", "load 1"]
ALIKE = [
    setup("flag-only", ONE, ONE, first=["map 1 1", "store 1", "hole 1 1"]),
    setup("dontneed-linux", ["await a 0", "load 1"], ["await a 0", "load 1"], first=["map 1 1"]),
    setup("unmap", ["await a 0"], ["await a 0"], ["await a 0"], first=["map 1 1"]),
]


@pytest.mark.parametrize("alike", ALIKE, ids=lambda s: f"{s.preset}-{s.settings.cores}")
def test_there_is_one_state_for_each_orbit(alike: Setup) -> None:
    EveryState.orbits = set()
    every = search(EveryState(World(alike), exchanges_of(alike)))
    assert every.states == search(World(alike)).states
    orbits = search(Orbit(World(alike), exchanges_of(alike)))
    assert orbits.complete
    assert orbits.states == len(EveryState.orbits) < every.states


def test_three_cores_have_six_images() -> None:
    assert len(exchanges_of(ALIKE[2])) == 5
    assert exchanges_of(ALIKE[0]) == (Exchange({1: 2, 2: 1}, {1: 2, 2: 1}),)


@pytest.mark.parametrize(
    "other",
    [
        setup("unmap", ONE, ["await a 1", "store 1"], first=["map 1 1", "store 1"]),
        setup("unmap", ONE, ONE, first=["map 1 1", "store 1", "await b 1"]),
        setup("unmap", ["await c 0"], ["map 1 1"], first=["map 2 1"]),
    ],
    ids=["another-call", "named-by-a", "named-by-one"],
)
def test_cores_that_are_not_alike(other: Setup) -> None:
    with pytest.raises(InputError, match="no two cores can change places"):
        exchanges_of(other)


def test_cores_that_name_one_another_may_be_alike() -> None:
    both = setup("unmap", ["fence", "await c 0"], ["fence", "await b 0"], first=["fence"])
    assert exchanges_of(both)


def test_machines_that_tell_cores_apart() -> None:
    alike = ALIKE[0]
    wrong = (Exchange({0: 1, 1: 0}, {0: 1, 1: 0}),)
    with pytest.raises(InputError, match="tell cores apart"):
        search(Orbit(World(alike), wrong))


def test_a_core_that_remembers_more_is_told_apart() -> None:
    assert search(Toy()).found
    start: Any = Toy()
    with pytest.raises(InputError, match="tell cores apart"):
        search(Orbit(start, (Exchange({1: 2, 2: 1}, {}),)))


def test_ends_are_compared_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(self: Toy) -> str:
        return "keep" if self.second == "qp" else ""

    monkeypatch.setattr(Toy, "ended", ended)
    monkeypatch.setattr(Toy, "broken", lambda _: "")
    start: Any = Toy()
    with pytest.raises(InputError, match="tell cores apart"):
        search(Orbit(start, (Exchange({1: 2, 2: 1}, {}),)))


def test_too_many_are_refused_at_once() -> None:
    alike = setup("unmap", *[["load 1"]] * 8, first=["map 1 1"])
    with pytest.raises(InputError, match="40,320 ways to exchange cores"):
        exchanges_of(alike)
    different = setup("unmap", *[[f"load {page}"] for page in range(1, 10)], first=["map 1 9"])
    with pytest.raises(InputError, match="no two cores"):
        exchanges_of(different)


def test_idle_cores_are_none_of_them() -> None:
    data = {"machine": {"cores": 8}, "thread": [{"name": "a", "run": ["map 1 1"]}]}
    with pytest.raises(InputError, match="no two cores"):
        exchanges_of(prepare(parse(data, "alone")))


@pytest.mark.parametrize("strategy", ["bfs", "dfs"])
def test_a_search_that_is_kept_goes_on(strategy: str, tmp_path: Path) -> None:
    chosen = Chosen(strategy=Strategy(strategy), symmetry=True)
    whole = explore(ALIKE[1], chosen)
    path = tmp_path / "x.search"
    some = msgspec.structs.replace(chosen, budget=100)
    assert explore(ALIKE[1], some, keeper=Keeper(path, ALIKE[1], some)).states == 100
    after = explore(ALIKE[1], chosen, keeper=Keeper(path, ALIKE[1], chosen))
    assert (after.states, after.deliveries) == (whole.states, whole.deliveries)
    with pytest.raises(InputError, match="with other options"):
        Keeper(path, ALIKE[1], msgspec.structs.replace(chosen, symmetry=False))


def test_what_is_broken_is_found_and_shared() -> None:
    two = ["await a 1", "load 1"]
    broken = setup("dontneed-linux", two, two, first=["map 1 1", "store 1", "dontneed 1 1"],
                   hazard="free-before-acks")  # fmt: skip
    chosen = Chosen(strategy=Strategy.BFS, symmetry=True)
    alone = explore(broken, chosen)
    assert [found.property for found in alone.found] == ["translation"]
    assert "identical cores" in alone.dependency
    crew = HereCrew([share_of(broken, chosen) for _ in range(2)])
    assert explore(broken, chosen, crew=crew) == alone


def test_strategies_without_states(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "one-page", "--strategy", "pct", "--symmetry"]) == 2
    assert "--symmetry: pct knows no states" in capsys.readouterr().err
    assert main(["explore", "one-page", "--strategy", "dfs", "--symmetry"]) == 2
    assert "no two cores" in capsys.readouterr().err
