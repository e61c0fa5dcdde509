"""Recorded runs of earlier days still replay, delivery by delivery."""

from pathlib import Path

import pytest

from cluster.replay import replay

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
