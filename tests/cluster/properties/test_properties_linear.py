"""A verdict is a predicate on happens-before: all linear extensions of a run have the same."""

from random import Random

import msgspec
import pytest

from cluster.scenario.scenario import load
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from tests.cluster.explore.test_hazards import UNTIMED
from tests.support.contended_guests import POLICIES, contended_setup
from tests.support.linear_extensions import Extension, findings, record

EXTENSIONS = 10
HAZARDS = {
    name: path for name, path in shipped("scenarios", ".toml").items() if name.startswith("hazard-")
}


def setup_of(name: str, *, correct: bool) -> Setup:
    scenario = load(HAZARDS[name])
    if correct:
        run = msgspec.structs.replace(scenario.run, hazards=[])
        scenario = msgspec.structs.replace(scenario, run=run)
    return prepare(scenario, name)


@pytest.mark.parametrize("correct", [False, True], ids=["hazard", "correct"])
@pytest.mark.parametrize("name", HAZARDS)
def test_verdict_does_not_depend_on_the_interleaving(name: str, correct: bool) -> None:
    setup = setup_of(name, correct=correct)
    log, found, counts = record(setup)
    shown = not correct and name.removeprefix("hazard-") not in UNTIMED
    assert shown == any(promised for _, promised, _, _ in found)
    for seed in range(EXTENSIONS):
        extension = Extension(setup, log, Random(seed))
        extension.run()
        assert extension.checker.reports.counts == counts
        assert findings(extension.checker) == found


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("policy", POLICIES)
def test_nor_for_threads_that_do_everything_at_once(policy: str, grain: str) -> None:
    setup = contended_setup(7, policy, grain=grain)
    log, found, counts = record(setup)
    assert not any(promised for _, promised, _, _ in found)
    orders = set()
    for seed in range(EXTENSIONS):
        extension = Extension(setup, log, Random(seed))
        orders.add(tuple(extension.run()))
        assert extension.checker.reports.counts == counts
        assert findings(extension.checker) == found
    assert len(orders) == EXTENSIONS
