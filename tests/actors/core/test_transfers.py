"""Transfers: begun by a call, awaited, complete."""

import pytest

from actors.core.transfers import Transfers
from actors.core.values import CALL, RUN, SLEEP, TRANSFER, Thread
from actors.facts import CallEnded
from actors.guest.program import Dma, DmaWait
from actors.machine import Note, ProtocolError, Send, Spend
from actors.messages import StartTransfer, Transfer, TransferDone
from actors.operation import OpKind
from kernel.errors import Errno
from kernel.stamp import stamp
from tests.support.core_parts import COSTS, PAGE, VM, Asked, OnCore, settings

DMA = Dma(PAGE + 32, 3, 16, write=True, device=1)
NAME = stamp(0, 5, 0)


def transfers(**running: object) -> Transfers:
    scheduler = Asked({"park": False}, threads={0: Thread(5, 0, TRANSFER)})
    return Transfers(settings(devices=(20, 21)), OnCore(DMA, **running), scheduler)


def test_the_call_returns_when_the_device_has_the_transfer():
    one = transfers(doing=CALL)
    assert one.start(StartTransfer(0, (10,), 7)) == [
        Spend(7 + COSTS.dma_submit_ns),
        Send(21, Transfer(0, VM, NAME, True, 32, 3, 16, (10,))),
        Note(CallEnded(0, OpKind.DMA, Errno.OK)),
    ]
    assert (one.running.doing, one.running.part) == (RUN, 1)
    assert one.waiting() == ["1 transfers of thread 0 are not complete"]


def test_only_within_its_call_it_may_start():
    with pytest.raises(ProtocolError):
        transfers().start(StartTransfer(0, (10,), 7))


def test_who_waits_is_parked_until_the_last_is_complete():
    one = transfers(doing=CALL)
    assert one.wait(DmaWait(), [])
    assert one.running.pc == 6
    one.start(StartTransfer(0, (10,), 7))
    one.running.doing = CALL
    one.start(StartTransfer(0, (11,), 7))
    assert not one.wait(DmaWait(), [])
    assert one.scheduler.asked == [("park", TRANSFER)]
    assert not one.end(TransferDone(0, NAME))
    assert one.end(TransferDone(0, NAME))
    assert one.waiting() == []


def test_who_does_not_wait_for_it_is_not_woken():
    one = transfers(doing=CALL)
    one.start(StartTransfer(0, (10,), 7))
    one.scheduler.threads[0] = Thread(5, 0, SLEEP)
    assert not one.end(TransferDone(0, NAME))


def test_a_clone_counts_its_own():
    one = transfers(doing=CALL)
    one.start(StartTransfer(0, (10,), 7))
    twin = one.clone(OnCore(DMA, doing=CALL), one.scheduler)
    assert twin.freeze() == one.freeze()
    twin.start(StartTransfer(0, (10,), 7))
    assert one.under_way == {0: 1}
    assert twin.freeze() != one.freeze()
