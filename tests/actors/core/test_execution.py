"""Execution: the loop over threads and their instructions."""

from collections.abc import Callable

import pytest

from actors.core.execution import EXECUTE, Execution
from actors.core.values import DONE, EDGE, GO, LOAD, NO_THREAD, RUN, SWITCH, THINK, Doing
from actors.guest.program import (
    Access,
    Await,
    Copy,
    Create,
    DmaWait,
    Exit,
    Fence,
    Instruction,
    Think,
    Unmap,
)
from actors.machine import Send
from actors.messages import AwaitIndex, Go
from tests.support.core_parts import Asked, OnCore, loads, nobody, settings


class Programmed(OnCore):
    """A running thread with a whole program."""

    def __init__(self, *program: Instruction, pc: int = 0) -> None:
        super().__init__(pc=pc)
        self.guest = Asked()
        self.guest.at = lambda _thread, index: program[index] if index < len(program) else None


def execution(running: OnCore, **changes: object) -> Execution:
    """Make one with neighbours who let the thread go on where a test does not say otherwise."""
    return Execution(
        settings(**changes),
        running,
        waits=Asked({"is_home": False, "must_wait": False}),
        scheduler=Asked({"park": False}, expired=False, run_queue=[]),
        interrupts=Asked(held=[]),
        killed=Asked(dying={}),
        accesses=Asked(lost=0),
        system_calls=Asked(),
        transfers=Asked(),
    )


def advances(running: OnCore) -> Callable[..., bool]:
    return lambda *_: running.advance([])


def parks(running: OnCore, doing: Doing = DONE) -> Callable[..., bool]:
    def park(*_: object) -> bool:
        running.leave(doing)
        return False

    return park


def test_it_runs_until_a_thread_must_wait():
    one = execution(Programmed(Fence(), Fence(), loads(1)))
    one.system_calls.fence = advances(one.running)
    one.accesses.access = lambda *_: setattr(one.running, "doing", LOAD)
    one.run([])
    assert (one.running.pc, one.running.doing) == (2, LOAD)


def test_then_the_next_thread_runs_until_there_is_none():
    one = execution(Programmed(Think(9)))
    one.scheduler.think = parks(one.running, THINK)
    queue = [7]

    def dispatch(_out: list) -> bool:
        if queue:
            one.running.thread, one.running.doing = queue.pop(), RUN
            return True
        return False

    one.scheduler.dispatch = dispatch
    one.run([])
    assert (queue, one.running.thread) == ([], NO_THREAD)


def test_a_thread_past_its_program_ends():
    one = execution(Programmed(pc=3))
    one.scheduler.dispatch = lambda _out: False
    one.system_calls.exit_thread = parks(one.running)
    one.run([])
    assert one.running.thread == NO_THREAD


def test_a_thread_in_a_switch_does_not_run():
    one = execution(nobody())

    def dispatch(_out: list) -> bool:
        one.running.thread, one.running.doing = 0, SWITCH
        return True

    one.scheduler.dispatch = dispatch
    one.run([])
    assert one.running.guest.asked == []


def test_exploring_each_instruction_is_a_step():
    one, out = execution(Programmed(Fence(), Fence()), fine=True), []
    one.system_calls.fence = advances(one.running)
    one.run(out)
    assert out == [Send(0, Go(0))]
    assert (one.running.pc, one.running.doing) == (1, GO)


@pytest.mark.parametrize(("doing", "taken"), [(GO, True), (LOAD, False), (SWITCH, False)])
def test_held_interrupts_are_taken_at_an_instruction_boundary(doing: Doing, taken: bool):
    one = execution(OnCore(doing=doing))
    one.interrupts.held.append("an interrupt")
    one.run([])
    assert one.interrupts.asked == ([("take_held",)] if taken else [])


def test_who_was_killed_ends_before_its_next_instruction():
    one = execution(Programmed(Fence()))
    one.killed.dying[0] = None
    one.scheduler.dispatch = lambda _out: False
    one.killed.end_running = lambda out: not parks(one.running)(out)
    one.run([])
    assert one.system_calls.asked == []


def test_who_has_used_its_slice_gives_way_if_another_waits():
    one = execution(Programmed(Fence()))
    one.scheduler.expired, one.scheduler.run_queue = True, [1]
    one.scheduler.dispatch = lambda _out: False
    one.scheduler.preempt = parks(one.running)
    one.run([])
    assert one.system_calls.asked == []


def test_a_thread_that_is_ready_runs_at_once_only_on_an_idle_core():
    for running, asked in ((nobody(), ["ready", "dispatch"]), (OnCore(doing=LOAD), ["ready"])):
        one = execution(running)
        assert one.ready(1, RUN, []) == []
        assert [name for name, *_ in one.scheduler.asked] == asked


def test_an_await_of_another_core_goes_on_or_parks():
    one = execution(OnCore())
    assert one.wait_for(Await(1, 4), [])
    assert one.running.pc == 6
    one.waits.answers["must_wait"] = True
    assert not one.wait_for(Await(1, 4), [])
    assert one.waits.asked[-1] == ("must_wait", Await(1, 4), 0, None)
    assert one.scheduler.asked == [("park", EDGE)]


def test_an_await_of_this_core_knows_how_far_the_other_is():
    one = execution(OnCore(pc=5))
    one.waits.answers["is_home"] = True
    one.scheduler.answers["finished"] = 3
    one.wait_for(Await(2, 4), [])
    assert one.waits.asked[-1] == ("must_wait", Await(2, 4), 0, 3)
    one.wait_for(Await(0, 6), [])
    assert one.waits.asked[-1] == ("must_wait", Await(0, 6), 0, 6)


def test_another_core_is_answered_by_how_far_a_thread_is():
    one = execution(OnCore())
    one.scheduler.answers["finished"] = 3
    one.await_index(1, AwaitIndex(9, 0, 4))
    assert one.waits.asked == [("await_index", 1, AwaitIndex(9, 0, 4), 3)]


@pytest.mark.parametrize(
    ("instruction", "component", "method"),
    [
        (loads(1), "accesses", "access"),
        (Copy(0, 1, 16, write=True), "accesses", "copy"),
        (Think(1), "scheduler", "think"),
        (Create(1), "system_calls", "start_thread"),
        (Exit(), "system_calls", "exit_thread"),
        (Fence(), "system_calls", "fence"),
        (DmaWait(), "transfers", "wait"),
        (Unmap(0, 4096), "system_calls", "enter"),
    ],
)
def test_each_instruction_has_its_component(instruction: Instruction, component: str, method: str):
    one = execution(OnCore(instruction))
    one.run([])
    assert getattr(one, component).asked == [(method, instruction)]


def test_the_table_names_no_instruction_that_enters_the_kernel():
    assert Access in EXECUTE
    assert Unmap not in EXECUTE


def test_lost_entries_are_paid_for_before_the_next_instruction() -> None:
    one = execution(Programmed(Fence()))
    one.accesses.lost = 3
    one.run([])
    assert one.accesses.asked == [("refill",)]
