"""Runs on a real, local Ray cluster; what needs none is tested in test_replay."""

from pathlib import Path

import pytest

from cluster.replay.replaying import replay
from cluster.scenario.setup import prepare
from tests.support.traced_runs import LONG, contended

pytestmark = [
    pytest.mark.live,
    # what Ray leaves open in its own process is Ray's
    pytest.mark.filterwarnings("ignore"),
]


def test_a_live_run_replays_and_is_over_when_it_says_so(tmp_path: Path) -> None:
    from cluster.live.launch import run_live

    path = tmp_path / "live.trace"
    progress: list[int] = []
    outcome = run_live(contended(), out=path, kind="full", on_progress=progress.append)
    assert outcome.complete
    assert outcome.waiting == []
    assert progress[-1] == outcome.deliveries
    assert outcome.facts["CallStarted"] == outcome.facts["CallEnded"]
    assert outcome.calls > 0
    assert outcome.messages_per_call >= 1
    result = replay(path)
    assert result.same, result.difference.text()
    assert (result.deliveries, result.digest) == (outcome.deliveries, outcome.digest)
    assert result.waiting == []


def test_an_actor_that_dies_leaves_a_trace_that_replays(tmp_path: Path) -> None:
    from cluster.live.errors import WorkerDiedError
    from cluster.live.launch import run_live
    from cluster.live.outcome import Kill

    path = tmp_path / "live.trace"
    with pytest.raises(WorkerDiedError, match="the process of vm0 died") as caught:
        run_live(prepare(LONG), out=path, kill=Kill("vm0", 200))
    assert caught.value.name == "vm0"
    result = replay(path)
    assert result.same, result.difference.text()
    assert result.end.cut
    assert not result.end.complete
    assert result.deliveries == caught.value.cut.kept >= 200
