"""The scheduler: who is next, switches, slices, computing, parking."""

from actors.core.scheduler import Scheduler
from actors.core.values import (
    CALL,
    COMPUTE,
    DONE,
    EDGE,
    FAULT,
    NEVER,
    NO_SPACE,
    NO_THREAD,
    RUN,
    SLEEP,
    SWITCH,
    THINK,
    WALK,
    WOKEN,
    Buffered,
    Thread,
)
from actors.guest.program import Think
from actors.machine import Send, Spend, Timer
from actors.messages import CaughtUp, Sleep, Step, Switched, SwitchIn, SwitchOut, Tick, Wake
from actors.settings import KERNEL_LANE
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate, Policy
from tests.support.core_parts import COSTS, VM, Asked, OnCore, nobody, settings

LANE = KERNEL_LANE
DEFERS = Policy(invalidate=Invalidate.DEFERRED_AT_SWITCH)


def scheduler(running: OnCore, *queue: int, **changes: object) -> Scheduler:
    """Make one with threads 0 and 1 in process 0 and thread 2 in process 1."""
    made = settings(core_of=(0, 0, 0), process_of=(0, 0, 1), **changes)
    threads = {thread: Thread() for thread in range(3)}
    one = Scheduler(0, made, threads, running, Asked(entries=[]), Asked())
    one.begin(queue)
    return one


def test_threads_run_in_the_order_of_the_queue():
    one = scheduler(nobody(asid=0), 1, 0)
    assert one.dispatch([])
    assert (one.running.thread, one.running.doing) == (1, RUN)
    assert list(one.run_queue) == [0]


def test_nobody_is_next_before_the_stores_of_the_one_before_are_performed():
    one, out = scheduler(nobody(asid=0), 1), []
    one.buffer.entries.append(Buffered(0, 0))
    assert not one.dispatch(out)
    assert (one.running.thread, out) == (NO_THREAD, [])


def test_another_address_space_takes_a_switch():
    one, out = scheduler(nobody(asid=0), 2), []
    assert one.dispatch(out)
    assert out == [Send(VM, SwitchIn(LANE, 1))]
    assert (one.running.thread, one.running.doing) == (2, SWITCH)
    out = []
    one.switched(Switched(LANE, 1, keep=True, vpns=(), upto=0), out)
    assert out == [Spend(COSTS.context_switch_ns), Send(VM, SwitchOut(LANE, 0))]
    assert (one.running.asid, one.running.doing) == (1, RUN)
    assert one.accesses.asked == [("catch_up", Switched(LANE, 1, True, (), 0))]


def test_the_first_switch_leaves_no_space():
    one, out = scheduler(nobody(NO_SPACE), 0), []
    one.dispatch(out)
    one.switched(Switched(LANE, 0, keep=True, vpns=(), upto=0), out)
    assert out[1:] == [Spend(COSTS.context_switch_ns)]


def test_where_invalidations_are_left_to_switches_one_within_a_space_asks_too():
    one, out = scheduler(nobody(asid=0), 0, policy=DEFERS), []
    one.dispatch(out)
    assert out == [Send(VM, SwitchIn(LANE, 0))]
    one.switched(Switched(LANE, 0, keep=True, vpns=(3,), upto=8), out)
    assert out[1:] == [Send(VM, CaughtUp(LANE, 0, 8))]
    assert [name for name, *_ in one.accesses.asked] == ["catch_up"]


def test_with_the_hazard_a_switch_within_a_space_catches_up_with_nothing():
    hazards = Hazard.HOOK_AFTER_EARLY_RETURN
    one = scheduler(nobody(asid=0), 0, policy=DEFERS, hazards=hazards)
    one.dispatch([])
    one.switched(Switched(LANE, 0, keep=True, vpns=(3,), upto=8), [])
    assert one.accesses.asked == []


def test_a_core_that_goes_idle_switches_where_that_is_an_occasion():
    one, out = scheduler(OnCore(), policy=DEFERS), []
    one.park(DONE)
    assert not one.dispatch(out)
    assert out == [Send(VM, SwitchIn(LANE, 0))]
    assert not one.dispatch(out)
    assert len(out) == 1
    one.begin([1])
    assert not one.dispatch(out)
    one.switched(Switched(LANE, 0, keep=True, vpns=(), upto=0), out)
    assert one.dispatch(out)


def test_a_thread_that_only_thinks_computes_so_the_core_is_not_idle():
    one, out = scheduler(OnCore(), policy=DEFERS), []
    one.last = 0
    assert not one.think(Think(50), out)
    assert out == [Timer(50, Wake(0))]
    assert one.threads[0] == Thread(6, 0, THINK)
    assert not one.dispatch(out)
    one.ready(0, RUN, out)
    one.dispatch(out)
    assert len(out) == 1


def test_thinking_is_scaled_and_may_take_no_time():
    one, out = scheduler(OnCore(), think_scale=(1, 10)), []
    one.think(Think(50), out)
    assert out == [Timer(5, Wake(0))]
    one, out = scheduler(OnCore(), think_scale=(0, 1)), []
    assert one.think(Think(50), out)
    assert out == []


def test_computing_takes_the_core_a_slice_at_a_time():
    one, out = scheduler(OnCore(), computes=True, slice_ns=100), []
    assert not one.think(Think(250), out)
    assert out == [Timer(100, Wake(0))]
    assert (one.running.doing, one.running.left_ns) == (COMPUTE, 150)
    assert not one.computed(out)
    assert out[1:] == [Timer(100, Wake(0))]
    one.ready(1, RUN, out)
    assert out[2:] == [Timer(100, Tick(LANE))]
    assert one.computed(out)
    assert list(one.run_queue) == [1, 0]
    assert one.threads[0] == Thread(6, 0, RUN, RUN, 50)


def test_a_computation_that_is_complete_lets_the_thread_go_on():
    one, out = scheduler(OnCore(), computes=True, slice_ns=100), []
    one.think(Think(80), out)
    assert one.computed(out)
    assert (one.running.thread, one.running.doing, len(out)) == (0, RUN, 1)


def test_the_clock_ticks_while_another_waits_and_its_slice_is_by_load():
    one, out = scheduler(nobody(asid=0), 0, 1, slice_ns=60), []
    one.dispatch(out)
    assert out == [Timer(60, Tick(LANE))]
    one.ready(2, RUN, out)
    assert len(out) == 1
    assert one.tick() == []
    assert one.expired
    one.preempt()
    assert not one.expired
    assert list(one.run_queue) == [1, 2, 0]
    one.dispatch(out)
    assert out[1:] == [Timer(30, Tick(LANE))]


def test_who_runs_alone_keeps_the_core():
    one = scheduler(OnCore())
    one.tick()
    assert not one.expired


def test_a_sleeper_goes_on_in_the_kernel_when_it_gets_the_core():
    for doing in (CALL, FAULT, WALK):
        one, out = scheduler(OnCore(doing=doing)), []
        one.sleep(Sleep(0, 1, 7))
        assert one.threads[0] == Thread(5, 0, SLEEP, doing)
        one.ready(0, WOKEN, out)
        one.dispatch(out)
        assert out == [Send(VM, Step(0))]
        assert one.running.doing is doing
        assert one.accesses.asked == [("forget_walk",), ("walk_again",)]


def test_no_tick_is_armed_within_a_switch():
    one, out = scheduler(OnCore(doing=SWITCH)), []
    one.ready(1, RUN, out)
    assert out == []


def test_how_far_a_thread_is_whether_it_runs_or_not():
    one = scheduler(OnCore(pc=5))
    one.threads[1] = Thread(9)
    assert [one.finished(thread) for thread in range(3)] == [4, 8, -1]


def test_who_has_awaited_goes_past_its_instruction():
    one = scheduler(OnCore())
    one.threads[1] = Thread(9, 3, EDGE)
    assert one.pass_await(1) == 9
    assert one.threads[1] == Thread(10, 0, EDGE)


def test_who_may_be_ended_where_it_is():
    one = scheduler(OnCore(), 2)
    one.threads[1] = Thread(3, 0, THINK)
    assert [one.is_interruptible(thread) for thread in range(3)] == [False, True, False]
    one.threads[1] = Thread(3, 0, SLEEP)
    one.run_queue.clear()
    assert [one.is_interruptible(thread) for thread in range(3)] == [False, False, True]


def test_to_bury_who_computed_off_the_core_leaves_it_idle():
    one, out = scheduler(OnCore(), policy=DEFERS), []
    one.dispatch(out)
    one.last = 0
    one.think(Think(50), out)
    one.bury(0)
    assert one.threads[0] == Thread(NEVER, 0, DONE)
    one.dispatch(out)
    assert out[-1] == Send(VM, SwitchIn(LANE, 0))


def test_it_names_threads_that_have_begun_and_not_ended():
    one = scheduler(OnCore())
    one.threads |= {0: Thread(), 1: Thread(4, 0, EDGE), 2: Thread(9, 0, DONE)}
    assert one.waiting() == ["thread 1 is in EDGE at instruction 4"]


def test_a_clone_schedules_on_its_own():
    one = scheduler(nobody(asid=0), 0, 1, slice_ns=60)
    twin = one.clone(nobody(asid=0), Asked(entries=[]), Asked())
    assert twin.freeze() == one.freeze()
    twin.dispatch([])
    assert list(one.run_queue) == [0, 1]
    assert one.running.thread == NO_THREAD
    assert twin.freeze() != one.freeze()


def test_freezing_leaves_nothing_out():
    one = scheduler(nobody(asid=0), 0)
    seen = {one.freeze()}
    for field in ("left", "idling", "ticking", "expired"):
        setattr(one, field, True)
        seen.add(one.freeze())
    one.last = 2
    seen.add(one.freeze())
    one.threads[2] = Thread(1)
    seen.add(one.freeze())
    assert len(seen) == 7
