"""What ships says what it is, and can be run."""

from pathlib import Path

import pytest

from cluster.scenario.scenario import load
from cluster.scenario.setup import prepare
from cluster.scenario.shipped import shipped

SCENARIOS = shipped("scenarios", ".toml")


@pytest.mark.parametrize("path", SCENARIOS.values(), ids=lambda p: p.stem)
def test_a_shipped_scenario_is_about_something_and_can_be_set_up(path: Path) -> None:
    scenario = load(path)
    assert scenario.about, "`holezero scenarios` prints `about`: say there what it shows"
    prepare(scenario)


def test_shipped_scenarios_are_listed_in_order() -> None:
    assert list(SCENARIOS) == sorted(SCENARIOS)
