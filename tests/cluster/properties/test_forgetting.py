"""What the checker forgets in long runs was of no use to it, and it forgets enough."""

import pytest

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties import checker as module
from cluster.properties.checker import Checker
from cluster.properties.clock import At, NarrowClock
from cluster.properties.known.cells import Cells
from cluster.properties.known.places import Places
from cluster.properties.known.shown import NO_FILE, Change, Shown
from cluster.scenario.scenario import MachineTable, Scenario, ThreadTable
from cluster.scenario.setup import Setup, prepare
from tests.cluster.properties.test_properties_linear import HAZARDS, setup_of
from tests.support.contended_guests import POLICIES, contended_setup, forking_setup
from tests.support.linear_extensions import record


@pytest.fixture
def forgets_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FORGET_EVERY", 1)
    monkeypatch.setattr(Checker, "_forget", lambda self: self.known.forget())


def setups(policy: str) -> list[Setup]:
    seeds = range(4)
    return [
        *(contended_setup(seed, policy, others=True, frames=(4, 64)[seed % 2]) for seed in seeds),
        *(contended_setup(seed, policy, transfers=True, grain="fine") for seed in seeds),
        *(forking_setup(seed, policy, transfers=True) for seed in seeds),
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_findings_are_the_same(policy: str, request: pytest.FixtureRequest) -> None:
    found = [record(setup)[1:] for setup in setups(policy)]
    request.getfixturevalue("forgets_always")
    assert [record(setup)[1:] for setup in setups(policy)] == found


@pytest.mark.parametrize("name", HAZARDS)
def test_findings_of_hazards_are_the_same(name: str, request: pytest.FixtureRequest) -> None:
    found = record(setup_of(name, correct=False))[1:]
    request.getfixturevalue("forgets_always")
    assert record(setup_of(name, correct=False))[1:] == found


#: of one round each: what comes again is at other addresses, or is another process
ROUNDS = {
    "unmap": ["map {page} 4", "store {page} 4", "load {page} 4", "unmap {page} 4"],
    "hole": ["map {page} 4", "store {page} 4", "hole {page} 4", "zero {page} 4", "unmap {page} 4"],
    "move": [
        "map {page} 4",
        "store {page} 4",
        "move {page} 4 to {next}",
        "store {next} 4",
        "unmap {next} 4",
    ],
}


@pytest.mark.parametrize("name", ROUNDS)
def test_what_is_known_does_not_grow_with_a_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FORGET_EVERY", 64)
    monkeypatch.setattr(module, "_FORGET_FROM", 32)
    assert most_known(name, 200) <= 2 * most_known(name, 20)


def most_known(name: str, rounds: int) -> int:
    run = [
        line.format(page=16 * i, next=16 * i + 8) for i in range(1, rounds) for line in ROUNDS[name]
    ]
    thread = ThreadTable(name="t", core=0, run=run)
    setup = prepare(Scenario(machine=MachineTable(cores=1, frames=64), thread=[thread]))
    machines, checker = build(setup.wiring, setup.settings, setup.guest), Checker(setup)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(checker,))
    host.start()
    most = 0
    while not host.run(pause_after=50):
        most = max(most, checker.known.size())
    assert checker.violations == []
    return most


def test_doubts_last_as_long_as_the_mapping_that_they_are_about() -> None:
    """A store while its page was being mapped: what the page holds is not certain."""
    places, cells, clock = Places(1), Cells(), NarrowClock((9, 9))
    call, end = At(1, 3), At(1, 5)
    knows_call = NarrowClock((1, 3))
    places.begins(0, (Change(0, 4, 6, call),), ())
    assert places.at(0, 4, knows_call, cells.uncertain, write=True) is None
    cells.forget(places, [])
    mapped = Shown(
        7, 0, shared=False, file=NO_FILE, file_shift=0, inherit=0, called=call, since=end
    )
    places.ends(0, mapped, end, failed=False)
    cells.forget(places, [])
    assert places.at(0, 4, clock, cells.uncertain, write=False) is None
    assert places.at(0, 5, clock, cells.uncertain, write=False) == mapped
    places.begins(0, (Change(0, 4, 5, At(1, 7)),), ())
    places.ends(0, None, At(1, 8), failed=False)
    cells.forget(places, [mapped])  # a device has it still
    assert cells.uncertain == {4: call}
    cells.forget(places, [])
    assert cells.uncertain == {}
