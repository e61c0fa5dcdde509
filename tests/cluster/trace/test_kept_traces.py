"""Recorded runs of earlier days: pytest's plugin replays them; their broken promises still break.

If machines were meant to change: bump MODEL in cluster/hosts/model.py and record the kept traces
anew with `make retrace`.
"""

from pathlib import Path

import pytest

from cluster.properties.checker import Checker
from cluster.replay.replaying import replay
from cluster.trace.format import rebuild
from cluster.trace.reader import TraceReader
from tests.cluster.explore.test_hazards import breaks
from tests.support.places import TESTS

TRACES = sorted((TESTS / "traces").glob("*.trace"))


def test_there_are_some_and_pytest_collects_them(pytestconfig: pytest.Config) -> None:
    assert len(TRACES) >= 2
    assert pytestconfig.pluginmanager.hasplugin("holezero")
    assert pytestconfig.getini("holezero_traces")


@pytest.mark.parametrize("path", [p for p in TRACES if "hazard" in p.stem], ids=lambda p: p.stem)
def test_a_live_run_that_broke_a_promise_still_does(path: Path) -> None:
    with TraceReader(path) as reader:
        assert reader.header.live
        checker = Checker(rebuild(reader.header, str(path)))
        replay(reader, observers=(checker,))
        checker.finish(complete=True)
    (name,) = reader.header.scenario["run"]["hazards"]
    assert {v.property for v in checker.violations} & breaks(name)
