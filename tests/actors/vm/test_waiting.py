"""Busy pages and the map lock by themselves: who sleeps, and who is woken by what."""

import pytest

from actors.machine import Effect
from actors.messages import Sleep, Wakeup
from actors.operation import OpState
from actors.vm.in_flight import InFlight
from actors.vm.payloads import Hole
from actors.vm.waiting import Waiting
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, one_object, operation, sent, settings


def waiting(space: VmSpace) -> Waiting:
    _, pages = one_object(space, 5)
    return Waiting(InFlight(9, settings()), pages)


def test_a_sleeper_on_a_busy_page_is_woken_when_it_is_released() -> None:
    part, out = waiting(VmSpace()), list[Effect]()
    part.pages.put(KEY, part.pages.at(KEY).with_busy(3))
    asleep = part.sleep_on_page(operation(0, ns=40), KEY, out)
    assert (asleep.state, asleep.ns) == (OpState.PAGE_BUSY, 0)
    assert sent(out) == [(0, Sleep(0, OpState.PAGE_BUSY, 40))]
    part.in_flight.put(asleep)
    out.clear()
    part.unbusy(KEY, part.pages.at(KEY), out)
    assert sent(out) == [(0, Wakeup(0))]
    assert not part.pages.at(KEY).is_busy
    assert part.freeze() == ()


def test_an_operation_waits_only_for_pages_above_those_that_it_holds() -> None:
    part = waiting(VmSpace())
    with pytest.raises(AssertionError, match="lock order"):
        part.sleep_on_page(operation(0, own=Hole(pages=((KEY, 4),)), cursor=2), KEY, [])


def test_the_map_lock_is_handed_over_in_the_order_of_the_asking() -> None:
    space = VmSpace()
    part, out = waiting(space), list[Effect]()
    assert part.lock_map(space, operation(0), out, write=True) is None
    reader = part.lock_map(space, operation(1, by=1, ns=7), out, write=False)
    assert reader is not None
    assert reader.state is OpState.LOCK
    assert sent(out) == [(1, Sleep(1, OpState.LOCK, 7))]
    part.in_flight.put(reader)
    out.clear()
    part.unlock_map(space, operation(0), out)
    assert sent(out) == [(1, Wakeup(1))]
    assert part.lock_map(space, operation(1, by=1), out, write=False) is None


def test_a_writer_that_goes_on_reading_lets_readers_in() -> None:
    space = VmSpace()
    part, out = waiting(space), list[Effect]()
    part.lock_map(space, operation(0), out, write=True)
    reader = part.lock_map(space, operation(1, by=1), out, write=False)
    assert reader is not None
    part.in_flight.put(reader)
    out.clear()
    part.downgrade_map(space, operation(0), out)
    assert sent(out) == [(1, Wakeup(1))]
    assert list(space.lock.readers) == [0, 1]
