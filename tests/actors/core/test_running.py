"""Running: the thread on the core and its place in the program."""

import pytest

from actors.core.running import Running
from actors.core.values import CALL, COMPUTE, DONE, FAULT, NO_THREAD, RUN, SLEEP, THINK, Thread
from actors.guest.program import Fence
from actors.machine import ProtocolError
from actors.messages import Go
from tests.support.core_parts import Asked


def running(**watched: object) -> Running:
    guest = Asked({"at": Fence()})
    return Running(0, guest, Asked(watchers=watched))


def test_an_idle_core_has_nobody_and_waits_for_nothing():
    one = running()
    assert (one.thread, one.doing, one.waiting()) == (NO_THREAD, DONE, [])


def test_a_thread_that_is_taken_goes_on_where_it_was():
    one = running()
    one.take(3, Thread(7, 2, COMPUTE, RUN, 50))
    assert (one.thread, one.pc, one.part, one.doing, one.left_ns) == (3, 7, 2, COMPUTE, 50)
    assert one.waiting() == ["thread 3 is in COMPUTE at instruction 7"]
    assert one.instruction() == Fence()
    assert one.guest.asked == [("at", 3, 7)]


def test_who_leaves_takes_its_place_along():
    one = running()
    one.take(3, Thread(7, 2, RUN, RUN, 50))
    assert one.leave(SLEEP, CALL) == Thread(7, 2, SLEEP, CALL, 50)
    assert (one.thread, one.doing, one.left_ns) == (NO_THREAD, DONE, 0)


def test_the_address_space_stays_when_the_thread_leaves():
    one = running()
    one.asid = 4
    one.take(3, Thread())
    one.leave(THINK)
    assert one.asid == 4


def test_going_to_the_next_instruction_tells_only_if_somebody_watches():
    one = running()
    one.take(3, Thread(7, 2))
    assert one.advance([])
    assert (one.pc, one.part) == (8, 0)
    assert one.waits.asked == []
    one = running(somebody=True)
    one.take(3, Thread(7, 2))
    one.advance([])
    assert one.waits.asked == [("finished", 3, 7)]


def test_a_message_must_be_for_the_thread_and_for_what_it_does():
    one = running()
    one.take(3, Thread(7, 0, CALL))
    one.expect(Go(3), FAULT, CALL)
    with pytest.raises(ProtocolError, match=r"core 0 must not get Go\(op=4\): thread 3 is in CALL"):
        one.expect(Go(4), CALL)
    with pytest.raises(ProtocolError, match="thread 3 is in CALL"):
        one.expect(Go(3), FAULT)


def test_a_clone_goes_its_own_way():
    one = running()
    one.take(3, Thread(7, 2, CALL, RUN, 5))
    one.asid = 1
    theirs = Asked(watchers={})
    twin = one.clone(theirs)
    assert twin.freeze() == one.freeze()
    twin.advance([])
    assert twin.waits is theirs
    assert (one.pc, twin.pc) == (7, 8)
    assert twin.freeze() != one.freeze()


@pytest.mark.parametrize("field", ["thread", "pc", "part", "left_ns", "asid"])
def test_freezing_leaves_nothing_out(field: str):
    one = running()
    before = one.freeze()
    setattr(one, field, 77)
    assert one.freeze() != before
