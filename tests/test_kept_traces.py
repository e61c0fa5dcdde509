"""Recorded runs of earlier days still replay, delivery by delivery."""

from pathlib import Path

import pytest

from cluster.properties.checker import Checker
from cluster.replay import replay
from cluster.trace import rebuild
from cluster.trace_reader import TraceReader
from tests.test_hazards import breaks

TRACES = sorted((Path(__file__).parent / "traces").glob("*.trace"))


def test_there_are_some() -> None:
    assert len(TRACES) >= 2


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_it_replays(path: Path) -> None:
    result = replay(path)
    assert result.end is not None
    if result.difference is not None:
        pytest.fail(
            f"{result.difference.text()}\n\nIf machines were meant to change: bump MODEL in "
            "cluster/model.py and record the kept traces anew with `make retrace`."
        )
    assert (result.deliveries, result.digest) == (result.end.deliveries, result.end.digest)


@pytest.mark.parametrize("path", [p for p in TRACES if "hazard" in p.stem], ids=lambda p: p.stem)
def test_a_live_run_that_broke_a_promise_still_does(path: Path) -> None:
    with TraceReader(path) as reader:
        assert reader.header.live
        checker = Checker(rebuild(reader.header, str(path)))
        replay(reader, observers=(checker,), attach=checker.attach)
        checker.finish(checker.machines, complete=True)
    (name,) = reader.header.scenario["run"]["hazards"]
    assert {v.property for v in checker.violations} & breaks(name)
