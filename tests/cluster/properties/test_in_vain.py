"""A thread that waits for what nobody will execute breaks no promise; a forgotten one does."""

from pathlib import Path

from actors.core.machine import Core
from cluster.properties.account import nothing_waits
from cluster.properties.observed import Observed
from cluster.properties.reports import Reports
from cluster.runs.inline_run import run_inline
from cluster.runs.judged_run import Options, Request, judge
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from kernel.policy.promises import ALWAYS
from tests.support.outcomes import Outcomes, thread

#: c is never started, as b ends the process of a, which would have forked it
NEVER_BORN = (
    thread("a", "map 1 1", "create b", "think 1000000", "fork c", core=0),
    thread("b", "quit", core=1, initial=False),
    thread("c", "fence", process=1, initial=False),
    thread("d", "await c 0", process=2),
    thread("e", "await d 0", process=2),
)


def setup() -> Setup:
    return prepare(parse({"machine": {"cores": 4}, "thread": list(NEVER_BORN)}, "in vain"))


def test_who_waits_for_a_thread_that_was_never_started() -> None:
    run = Outcomes({}, *NEVER_BORN, cores=4)
    assert run.broken == []
    assert sorted(run.left) == [
        "thread d awaits instruction 0 of thread c",
        "thread e awaits instruction 0 of thread d",
    ]


def test_the_verdict_says_so(tmp_path: Path) -> None:
    options = Options(trace="off", check=True, out=tmp_path / "run")
    request = Request(name="in-vain", setup=setup(), options=options)
    summary = judge(request, run_inline, ()).summary
    assert (summary.verdict, summary.violations) == ("waits in vain", [])
    assert "thread d awaits instruction 0 of thread c" in summary.waits_in_vain


def test_who_was_forgotten_is_a_broken_promise() -> None:
    run = Outcomes({}, *NEVER_BORN, cores=4)
    core = next(one for one in run.machines if isinstance(one, Core) and 2 in one.scheduler.threads)
    core.scheduler.bury(2)  # as if c had executed all, and d had not been told
    reports = Reports(ALWAYS, str, str)
    nothing_waits(Observed(run.machines), tuple(map(str, range(len(run.machines)))), reports)
    (broken,) = reports.found
    assert broken.text.endswith("thread d awaits instruction 0 of thread c")
