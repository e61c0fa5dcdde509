"""The killed: who ends at once, who at the next boundary, and what comes too late."""

import pytest

from actors.core.killed import Killed
from actors.core.values import DONE, NEVER
from actors.messages import Die, Wake
from tests.support.core_parts import Asked, OnCore


def killed(*, thinking: bool = False) -> Killed:
    scheduler = Asked({"is_thinking_or_unborn": thinking})
    return Killed(OnCore(thread=1), scheduler, Asked())


def test_a_thread_that_only_thinks_ends_at_once_and_who_waits_is_told():
    one = killed(thinking=True)
    assert one.die(Die(3), [])
    assert one.scheduler.asked == [("is_thinking_or_unborn", 3), ("bury", 3)]
    assert one.waits.asked == [("finished", 3, NEVER)]


def test_another_ends_when_it_is_back_in_user_mode():
    one = killed()
    assert not one.die(Die(1), [])
    assert one.waits.asked == []
    assert one.end_running([])
    assert one.scheduler.asked[1:] == [("park", DONE), ("bury", 1)]
    assert one.waits.asked == [("finished", 1, NEVER)]


def test_who_was_not_killed_runs_on():
    one = killed()
    one.die(Die(3), [])
    assert not one.end_running([])
    assert one.waits.asked == []


@pytest.mark.parametrize(("thread", "ignored"), [(1, False), (3, True), (5, False)])
def test_a_timer_of_the_dead_is_ignored(thread: int, ignored: bool):
    one = killed()
    one.die(Die(1), [])
    one.die(Die(3), [])
    assert one.ignores(Wake(thread)) == ignored


def test_who_computes_on_the_core_stops():
    one = killed()
    one.running.left_ns = 70
    one.ignores(Wake(1))
    assert one.running.left_ns == 70
    one.die(Die(1), [])
    one.ignores(Wake(1))
    assert one.running.left_ns == 0


def test_a_clone_has_its_own_dead():
    one = killed()
    one.die(Die(1), [])
    twin = one.clone(OnCore(), Asked({"is_thinking_or_unborn": False}), Asked())
    assert twin.freeze() == one.freeze() == (1,)
    twin.die(Die(3), [])
    assert list(one.dying) == [1]
    assert twin.freeze() != one.freeze()
