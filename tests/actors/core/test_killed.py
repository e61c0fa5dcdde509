"""Those that are to end: who does at once, who at the next boundary, and what comes too late."""

import pytest

from actors.core.killed import Killed
from actors.core.values import COMPUTE, DONE, NEVER, Doing, Thread
from actors.guest.program import Create, Fence, ThreadInfo
from actors.machine import Effect, Send
from actors.message import Message
from actors.messages import Die, Died, Wake
from actors.operation import OpKind
from tests.support.core_parts import VM, Asked, OnCore, settings

EXIT, EXEC = OpKind.EXIT, OpKind.EXEC
PROGRAM = (Create(3), Fence(), Create(2), Create(3), Fence())


class Program:
    """Each thread starts two others of its process, and one of another."""

    threads = (*[ThreadInfo("", 0, -1, initial=False)] * 3, ThreadInfo("", 1, -1, initial=False))

    def at(self, _thread: int, index: int) -> object:
        return PROGRAM[index] if index < len(PROGRAM) else None


def sent(out: list[Effect]) -> list[tuple[int, Message]]:
    return [(one.dst, one.message) for one in out if isinstance(one, Send)]


def killed(*, doing: Doing = Doing.RUN, pc: int = 0, **answers: bool) -> Killed:
    threads = dict.fromkeys(range(8), Thread(pc, 0, doing))
    running = OnCore(thread=1, doing=doing)
    running.guest = Program()
    return Killed(
        settings(process_of=(0,) * 8, vm_of=(VM,)),
        running,
        Asked(answers, threads=threads),
        Asked(),
    )


def test_a_thread_that_only_thinks_ends_at_once_and_who_waits_is_told():
    one = killed(is_interruptible=True)
    assert one.die(Die(3, EXIT), out := [])
    assert ("bury", 3) in one.scheduler.asked
    assert one.waits.asked == [("finished", 3, NEVER)]
    assert sent(out) == [(VM, Died(3, born=True, started=()))]


def test_another_ends_when_it_is_back_in_user_mode():
    one = killed()
    assert not one.die(Die(1, EXIT), [])
    assert one.waits.asked == []
    assert one.end_running([])
    assert one.scheduler.asked[-2:] == [("park", DONE), ("bury", 1)]
    assert one.waits.asked == [("finished", 1, NEVER)]


def test_who_computes_on_the_core_ends_at_once():
    one = killed(doing=COMPUTE)
    assert one.die(Die(1, EXIT), [])
    assert one.scheduler.asked[-2:] == [("park", DONE), ("bury", 1)]


def test_who_was_not_killed_runs_on():
    one = killed()
    one.die(Die(3, EXIT), [])
    assert not one.end_running([])
    assert one.waits.asked == []


@pytest.mark.parametrize(("thread", "ignored"), [(1, True), (3, True), (5, False)])
def test_a_timer_of_the_dead_is_ignored(thread: int, ignored: bool):
    one = killed()
    one.die(Die(1, EXIT), [])
    one.die(Die(3, EXIT), [])
    assert one.ignores(Wake(thread)) == ignored


def test_the_vm_is_told_and_which_threads_the_dead_one_had_started():
    one = killed(pc=3)
    one.die(Die(1, EXIT), out := [])
    one.die(Die(1, EXIT), out)  # it was killed as well
    assert out == []
    one.end_running(out)
    assert sent(out) == [(VM, Died(1, born=True, started=(2,)))]


def test_who_has_ended_is_told_at_once():
    one = killed(pc=2, has_ended=True)
    assert not one.die(Die(2, EXIT), out := [])
    assert sent(out) == [(VM, Died(2, born=True, started=()))]
    assert one.waits.asked == []


def test_execve_asks_again_for_who_was_not_started():
    one = killed(is_unborn=True, is_interruptible=True)
    assert not one.die(Die(2, EXEC), out := [])
    assert sent(out) == [(VM, Died(2, born=False, started=()))]
    assert one.dying == {}
    assert one.die(Die(2, EXIT), out)
    assert sent(out)[1:] == [(VM, Died(2, born=True, started=()))]


def test_a_clone_has_its_own_dead():
    one = killed()
    one.die(Die(1, EXIT), [])
    twin = one.clone(OnCore(), Asked(), Asked())
    assert twin.freeze() == one.freeze() == (1,)
    twin.die(Die(3, EXIT), [])
    assert list(one.dying) == [1]
    assert twin.freeze() != one.freeze()
