"""Interrupts: taken or held, acknowledged after earlier stores, and what the hazards leave out."""

import pytest

from actors.core.interrupts import Interrupts
from actors.core.values import CALL, LOAD, RUN, SWITCH, WALK, Buffered, Doing
from actors.machine import Send, Spend
from actors.messages import Flush, Ipi, IpiAck, Tlbi, TlbiDone
from kernel.hazards.switches import Hazard
from tests.support.core_parts import COSTS, Asked, OnCore, settings

IPI = Ipi(9, 3, 0, (1, 2))
TLBI = Tlbi(9, 3, 0, (1, 2))
STORE = Buffered(0, 0, ((16, 1, 100),))


def interrupts(doing: Doing = RUN, asid: int = 0, **changes: object) -> Interrupts:
    running = OnCore(doing=doing, asid=asid)
    buffer, rounds = Asked(entries=[]), Asked(in_flight={})
    return Interrupts(0, settings(**changes), running, buffer, Asked(), rounds)


@pytest.mark.parametrize("doing", [RUN, WALK, CALL])
def test_between_instructions_an_interrupt_is_taken_at_once(doing: Doing):
    one = interrupts(doing)
    assert one.take(1, IPI) == [
        Spend(COSTS.ipi_ack_ns),
        Send(1, IpiAck(9, 3)),
        Spend(COSTS.ipi_handler_ns),
    ]
    assert one.accesses.asked == [("flush", IPI)]
    assert one.held == []


@pytest.mark.parametrize("doing", [LOAD, SWITCH])
def test_it_is_held_until_a_load_or_a_switch_is_complete(doing: Doing):
    one, out = interrupts(doing), []
    assert one.take(1, IPI) == []
    assert one.take(8, Ipi(7, 1, 0, ())) == []
    assert one.accesses.asked == []
    assert one.waiting() == ["2 interrupts are held"]
    one.running.doing = RUN
    one.take_held(out)
    assert [e.dst for e in out if isinstance(e, Send)] == [1, 8]
    assert len(one.accesses.asked) == 2
    assert one.held == []
    assert one.waiting() == []


def test_the_acknowledgement_goes_after_earlier_stores():
    one = interrupts()
    one.buffer.entries.append(STORE)
    out = one.take(1, IPI)
    assert not [e for e in out if isinstance(e, Send)]
    assert one.buffer.asked == [("push", Buffered(9, 0, ack_to=1, round=3))]


def test_with_the_hazard_it_overtakes_them():
    one = interrupts(hazards=Hazard.ACK_OVERTAKES_STORES)
    one.buffer.entries.append(STORE)
    assert Send(1, IpiAck(9, 3)) in one.take(1, IPI)
    assert one.buffer.asked == []


def test_with_the_hazard_the_flush_comes_later():
    one = interrupts(hazards=Hazard.ACK_BEFORE_FLUSH)
    out = one.take(1, IPI)
    assert out[-1] == Send(0, Flush(9, 0, (1, 2)), COSTS.ipi_handler_ns)
    assert one.accesses.asked == []
    one.flush_late(Flush(9, 0, (1, 2)))
    assert one.accesses.asked == [("flush", Flush(9, 0, (1, 2)))]


def test_with_the_hazard_only_the_last_of_several_is_acknowledged():
    one, out = interrupts(LOAD, hazards=Hazard.LOST_ACK), []
    one.take(1, IPI)
    one.take(8, Ipi(7, 1, 0, ()))
    one.take_held(out)
    assert [e for e in out if isinstance(e, Send)] == [Send(8, IpiAck(7, 1))]
    assert len(one.accesses.asked) == 2


def test_with_the_hazard_a_switch_takes_them_and_finds_another_space():
    one = interrupts(SWITCH, asid=1, hazards=Hazard.SWITCH_TAKES_INTERRUPTS)
    assert Send(1, IpiAck(9, 3)) in one.take(1, IPI)
    assert one.accesses.asked == []
    one.running.asid = 0
    one.take(1, IPI)
    assert one.accesses.asked == [("flush", IPI)]


def test_a_broadcast_drops_entries_whatever_the_core_does():
    one = interrupts(SWITCH)
    assert one.take_broadcast(1, TLBI) == [Send(1, TlbiDone(9, 3))]
    assert one.accesses.asked == [("drop", TLBI)]


def test_a_broadcast_is_done_when_loads_and_stores_are():
    one, out = interrupts(LOAD), []
    assert one.take_broadcast(1, TLBI) == []
    assert one.accesses.asked == [("drop", TLBI)]
    one.running.doing = RUN
    one.take_held(out)
    assert out == [Send(1, TlbiDone(9, 3))]
    one.buffer.entries.append(STORE)
    assert one.take_broadcast(1, TLBI) == []
    expected = Buffered(9, 0, ack_to=1, round=3, broadcast=True)
    assert one.buffer.asked == [("push", expected)]


def test_a_broadcast_takes_longer_beside_one_of_our_own():
    one = interrupts()
    one.rounds.in_flight[4] = "a round"
    assert one.take_broadcast(1, TLBI)[0] == Spend(COSTS.tlbi_per_issuer_ns)


def test_a_clone_holds_its_own():
    one = interrupts(LOAD)
    one.take(1, IPI)
    twin = one.clone(OnCore(), one.buffer, one.accesses, one.rounds)
    assert twin.freeze() == one.freeze()
    twin.take_held([])
    assert one.held == [(1, IPI)]
    assert twin.freeze() != one.freeze()
