"""Operations in flight by themselves: one a lane, and what those awake cost a new one."""

import msgspec
import pytest

from actors.machine import ProtocolError
from actors.messages import Step, Wakeup
from actors.operation import OpState
from actors.vm.in_flight import InFlight
from tests.support.small_vm import operation, sent, settings


def test_a_lane_has_one_operation() -> None:
    flights = InFlight(9, settings())
    flights.put(operation(0, state=OpState.ACKS))
    with pytest.raises(ProtocolError, match="lane 0 already has an operation in flight"):
        flights.check_free(0)
    flights.check_free(1)
    assert flights.find(Step(0), 0, OpState.ACKS).state is OpState.ACKS
    with pytest.raises(ProtocolError, match="vm 9 must not get Step"):
        flights.find(Step(0), 0, OpState.FRAME)
    flights.drop(0)
    flights.check_free(0)


def test_operations_awake_are_paid_for_by_the_next_one() -> None:
    config = settings(cores=4, domains=2)
    costs = msgspec.structs.replace(config.costs, contention_ns=10, contention_other_domain_ns=100)
    flights = InFlight(9, msgspec.structs.replace(config, costs=costs))
    assert flights.contention_ns(0, 0) == 0
    flights.put(operation(0, by=0, state=OpState.ACKS))
    flights.put(operation(1, by=3, state=OpState.FRAME))
    flights.put(operation(2, by=1, state=OpState.LOCK))  # asleep
    assert flights.contention_ns(1, 0) == 10 + 100
    assert flights.contention_ns(1, 5) == 0, "of another space"
    flights.put(operation(2, by=1, state=OpState.READY))
    assert flights.contention_ns(0, 0) == 20 + 100
    for lane in (0, 1, 2):
        flights.drop(lane)
    assert flights.contention_ns(0, 0) == 0


def test_kernel_threads_do_not_count_and_exploring_has_no_time() -> None:
    config = settings()
    flights = InFlight(9, config)
    flights.put(operation(1 << 30, by=config.daemons[0], state=OpState.ACKS))
    assert flights.contention_ns(0, 0) == 0
    explored = InFlight(9, settings(grain="fine"))
    explored.put(operation(0, state=OpState.ACKS))
    assert explored.contention_ns(1, 0) == 0


def test_a_clone_goes_its_own_way() -> None:
    flights = InFlight(9, settings())
    flights.put(operation(0, state=OpState.PAGER))
    twin = flights.clone()
    assert twin.freeze() == flights.freeze()
    twin.drop(0)
    out: list = []
    flights.wake(0, out)
    assert sent(out) == [(0, Wakeup(0))]
    assert flights.waiting() == ["operation MUNMAP of lane 0 waits for PAGER"]
    assert twin.waiting() == []
