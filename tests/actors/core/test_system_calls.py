"""System calls: one after the other, entered with an empty store buffer."""

import pytest

from actors.core.system_calls import SystemCalls
from actors.core.values import CALL, DONE, DRAIN, RUN, Buffered
from actors.facts import CallEnded, CallStarted
from actors.guest.program import Create, Exit, Fence, Fork, Instruction, Quit, Release, Unmap
from actors.machine import Note, ProtocolError, Send, Spend
from actors.messages import Call, Return, Spawn
from actors.operation import OpKind
from kernel.errors import Errno
from kernel.policy.keys import AdviceKind, CommitChecks, Policy
from tests.support.core_parts import COSTS, PAGE, VM, Asked, OnCore, settings

UNMAP = Unmap(PAGE, 2 * PAGE)
CHECKED = Policy(advice=AdviceKind.UNMAP, commit_checks=CommitChecks.ON)


def system_calls(i: Instruction, policy: Policy | None = None, **running: object) -> SystemCalls:
    made = settings(policy=policy or Policy())
    scheduler = Asked({"park": False})
    return SystemCalls(made, OnCore(i, **running), Asked(entries=[]), scheduler)


def test_a_call_enters_the_kernel():
    one, out = system_calls(UNMAP), []
    assert not one.enter(UNMAP, out)
    assert out == [
        Note(CallStarted(0, OpKind.MUNMAP, 2)),
        Spend(COSTS.syscall_ns),
        Send(VM, Call(0, 5, OpKind.MUNMAP, 0, PAGE, 2 * PAGE, ())),
    ]
    assert one.running.doing is CALL


def test_not_with_stores_in_the_buffer():
    one, out = system_calls(UNMAP), []
    one.buffer.entries.append(Buffered(0, 0))
    assert not one.enter(UNMAP, out)
    assert (one.running.doing, out) == (DRAIN, [])


def test_a_release_with_checks_is_two_calls():
    i = Release(PAGE, PAGE, 0)
    one = system_calls(i, CHECKED)
    for kind in (OpKind.MUNMAP, OpKind.MPROTECT):
        out = []
        assert not one.enter(i, out)
        assert out[-1].message.kind == kind
        ended = Note(CallEnded(0, kind, Errno.OK))
        assert one.returned(Return(0, Errno.OK, 0, 7)) == [Spend(7), ended]
        assert one.running.doing is RUN
    assert one.enter(i, [])
    assert one.running.pc == 6


def test_a_return_that_nobody_waits_for_is_refused():
    with pytest.raises(ProtocolError):
        system_calls(UNMAP).returned(Return(0, Errno.OK, 0, 7))


def test_after_a_fork_the_child_is_started_too():
    one, out = system_calls(Fork(1), part=1), []
    assert one.enter(Fork(1), out)
    assert out == [Send(1, Spawn(0, 1))]
    assert one.running.pc == 6


def test_after_an_exit_of_the_process_the_thread_is_gone():
    one, out = system_calls(Quit(), part=1), []
    assert not one.enter(Quit(), out)
    assert one.scheduler.asked == [("park", DONE)]
    assert one.running.pc == 6


def test_threads_are_started_on_their_core_and_end_for_good():
    one, out = system_calls(Create(1)), []
    assert one.start_thread(Create(1), out)
    assert out == [Send(1, Spawn(0, 1))]
    assert not one.exit_thread(Exit(), out)
    assert one.scheduler.asked == [("park", DONE)]


def test_a_fence_waits_for_an_empty_buffer():
    one = system_calls(Fence())
    one.buffer.entries.append(Buffered(0, 0))
    assert not one.fence(Fence(), [])
    assert (one.running.doing, one.running.pc) == (DRAIN, 5)
    one.buffer.entries.clear()
    assert one.fence(Fence(), [])
    assert one.running.pc == 6
