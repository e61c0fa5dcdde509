"""Waits: who waits for whom, and who is told."""

from actors.core.values import NEVER
from actors.core.waits import Waits
from actors.guest.program import Await
from actors.machine import Send
from actors.messages import AwaitIndex, Reached
from tests.support.core_parts import settings


def waits() -> Waits:
    return Waits(0, settings(core_of=(0, 1, 0), process_of=(0, 0, 0)))


def test_a_thread_is_at_home_where_it_is_bound():
    assert [waits().is_home(thread) for thread in (0, 1, 2)] == [True, False, True]


def test_who_awaits_what_is_done_does_not_wait():
    one, out = waits(), []
    assert not one.must_wait(Await(2, 4), 0, 4, out)
    one.learn(Reached(0, 1, 9))
    assert not one.must_wait(Await(1, 9), 0, None, out)
    assert out == []
    assert one.watchers == {}


def test_a_wait_for_a_neighbour_is_noted_and_told_once_when_it_is_over():
    one, out = waits(), []
    assert one.must_wait(Await(2, 4), 0, 3, out)
    assert out == []
    one.finished(2, 3, out)
    one.finished(0, 9, out)
    assert out == []
    one.finished(2, 4, out)
    assert out == [Send(0, Reached(0, 2, 4))]
    assert one.watchers == {}


def test_the_core_of_another_thread_is_asked():
    one, out = waits(), []
    one.learn(Reached(0, 1, 3))
    assert one.must_wait(Await(1, 4), 0, None, out)
    assert out == [Send(1, AwaitIndex(0, 1, 4))]


def test_another_core_is_told_now_or_later():
    one, out = waits(), []
    assert one.await_index(1, AwaitIndex(1, 0, 4), 6) == [Send(1, Reached(1, 0, 6))]
    assert one.await_index(1, AwaitIndex(1, 0, 7), 6) == []
    assert one.await_index(8, AwaitIndex(5, 0, 7), 6) == []
    assert one.await_index(8, AwaitIndex(5, 0, 2), 1) == []
    one.finished(0, 7, out)
    assert out == [
        Send(8, Reached(5, 0, 7)),
        Send(1, Reached(1, 0, 7)),
        Send(8, Reached(5, 0, 7)),
    ]


def test_nobody_waits_for_the_dead():
    one, out = waits(), []
    one.await_index(1, AwaitIndex(1, 0, 1 << 40), 0)
    one.finished(0, NEVER, out)
    assert out == [Send(1, Reached(1, 0, NEVER))]


def test_what_is_known_of_a_thread_never_goes_back():
    one = waits()
    one.learn(Reached(0, 1, 9))
    one.learn(Reached(0, 1, 3))
    assert one.reached == {1: 9}


def test_a_clone_has_its_own_and_freezes_alike_in_any_order():
    one = waits()
    one.await_index(1, AwaitIndex(1, 0, 7), 0)
    twin = one.clone()
    assert twin.freeze() == one.freeze()
    one.await_index(1, AwaitIndex(1, 2, 3), 0)
    twin.await_index(1, AwaitIndex(1, 2, 3), 0)
    twin.learn(Reached(0, 1, 1))
    assert twin.freeze() != one.freeze()
    one.learn(Reached(0, 1, 1))
    assert twin.freeze() == one.freeze()
    other = waits()
    other.await_index(1, AwaitIndex(1, 2, 3), 0)
    other.await_index(1, AwaitIndex(1, 0, 7), 0)
    other.learn(Reached(0, 1, 1))
    assert other.freeze() == one.freeze()
