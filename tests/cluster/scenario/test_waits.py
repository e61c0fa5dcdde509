"""Threads that would wait forever are refused, and named."""

import pytest

from cluster.input_error import InputError
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from tests.cluster.explore.test_hazards import broken
from tests.support.outcomes import Outcomes, thread


def threads(*programs: list[str], initial: str) -> Setup:
    tables = [
        {"name": name, "run": run, "initial": name in initial}
        for name, run in zip("abcd", programs, strict=False)
    ]
    return prepare(parse({"thread": tables}, "waits"))


@pytest.mark.parametrize(
    ("programs", "initial", "told"),
    [
        ((["await a 1", "fence"],), "a", "in a circle: a at 0, a at 1"),
        ((["await b 0"], ["await a 0"]), "ab", "in a circle: "),
        ((["fence", "await b 0", "fence"], ["await a 2"]), "ab", "a at 1, a at 2, b at 0"),
        ((["await b 0", "create b"], ["fence"]), "a", "a at 0, a at 1, b at 0"),
        ((["await b 5"], ["fence"]), "ab", "awaits instruction 5 of thread b, which has 1"),
        ((["fence"], ["fence"]), "a", "thread b: nobody starts it"),
        ((["exit", "fence"], ["await a 1"]), "ab", "thread b: awaits instruction 1 of thread a"),
        ((["fence", "quit", "fence"], ["await a 2"]), "ab", "ends with its instruction 1"),
        ((["exit", "create b"], ["fence"]), "a", "thread b: nobody starts it"),
    ],
)
def test_who_would_wait_for_ever_is_told(
    programs: tuple[list[str], ...], initial: str, told: str
) -> None:
    with pytest.raises(InputError, match="thread") as e:
        threads(*programs, initial=initial)
    assert told in str(e.value)


@pytest.mark.parametrize(
    ("programs", "initial"),
    [
        ((["fence", "await b 0", "fence"], ["await a 0", "await a 2"]), "ab"),
        ((["create b", "await b 1"], ["await a 0", "fence"]), "a"),
        # a second thread starts it as well, and one that runs is not started again
        ((["create b", "await c 1"], ["fence"], ["await b 0", "create b"]), "ac"),
        ((["await b 0", "create b"], ["fence"]), "ab"),
        ((["fence", "exit", "fence"], ["await a 1"]), "ab"),
    ],
)
def test_who_gets_on_is_let_and_does(programs: tuple[list[str], ...], initial: str) -> None:
    assert broken(threads(*programs, initial=initial)) == set()


@pytest.mark.parametrize(
    ("programs", "initial"),
    [
        ((["await a 1", "fence"],), "a"),
        ((["fence", "await b 0", "fence"], ["await a 2"]), "ab"),
    ],
)
def test_who_is_refused_would_not_get_on(
    programs: tuple[list[str], ...], initial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.scenario.setup.check_waits", lambda *_: None)
    tables = (thread(name, *run) for name, run in zip(initial, programs, strict=True))
    run = Outcomes({}, *tables)
    assert run.left
    assert run.broken == [], "it is the guest's fault"
