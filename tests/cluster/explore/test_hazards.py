"""Every hazard has a scenario that breaks its property, and the correct twin breaks nothing."""

import msgspec
import pytest

from cluster.scenario.scenario import load, parse
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from kernel.hazards.catalogue import BY_NAME, CATALOGUE
from kernel.policy.promises import Property
from tests.support.judged import judged

SCENARIOS = {
    name.removeprefix("hazard-"): path
    for name, path in shipped("scenarios", ".toml").items()
    if name.startswith("hazard-")
}


def broken(setup: Setup) -> set[str]:
    """Run inline to rest; return the promises that were broken."""
    return {v.property for v in judged(setup).violations}


def test_every_hazard_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(BY_NAME), "cluster/shipped/scenarios/hazard-NAME.toml shows it"


#: a timed run does not show them: `test_explored.py` and the race scripts find an order
UNTIMED = {
    "guard-without-restart",
    "flush-clears-mark",
    "claim-without-fence",
    "generation-before-bit",
    "move-before-flush",
    "pin-forgets-write",
    "switch-takes-interrupts",
}


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - UNTIMED))
def test_hazard_breaks_what_the_catalogue_says(name: str) -> None:
    scenario = load(SCENARIOS[name])
    assert scenario.run.hazards == [name]
    # "zero" stands for both strengths of it
    words = {p.partition("-")[0] if p.startswith("zero") else p for p in broken(prepare(scenario))}
    assert words == set(CATALOGUE[BY_NAME[name]].breaks), (
        "name in `breaks` of kernel/hazards/catalogue.py what its scenario breaks; if no timed run "
        "breaks anything, add it to UNTIMED here"
    )


def test_every_property_is_broken_by_some_hazard() -> None:
    assert set().union(*map(breaks, BY_NAME)) == set(Property)


@pytest.mark.parametrize("name", SCENARIOS)
def test_correct_machine_survives_the_same_guest(name: str) -> None:
    scenario = load(SCENARIOS[name])
    run = msgspec.structs.replace(scenario.run, hazards=[])
    assert broken(prepare(msgspec.structs.replace(scenario, run=run))) == set()


def breaks(name: str) -> set[str]:
    about = CATALOGUE[BY_NAME[name]].breaks
    # "zero" stands for both strengths of it
    return {
        p
        for word in about
        for p in ((f"{word}-strong", f"{word}-weak") if word == "zero" else (word,))
    }


def test_a_run_that_gets_nowhere_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = {"run": ["map 1 1", "store 1", *["think 5"] * 60, "load 1"]}
    setup = prepare(parse({"thread": [thread]}, "thinker"))
    assert broken(setup) == set()
    monkeypatch.setattr("cluster.properties.account.LIVELOCK", 50)
    assert broken(setup) == {"progress"}
