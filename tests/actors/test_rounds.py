"""Rounds: interrupts to the targets of a shootdown, and who has acknowledged."""

import pytest

from actors.facts import Shooting, Shot
from actors.initiator import Rounds
from actors.machine import Note, ProtocolError, Send, Spend
from actors.messages import Invalidated, Ipi, IpiAck, Shoot, Tlbi, TlbiDone
from kernel.policy.keys import Invalidate, Policy
from tests.support.core_parts import COSTS, VM, settings

BROADCAST = Policy(invalidate=Invalidate.BROADCAST)
IPI = Ipi(4, 3, 0, (1, 2))


def shot(*targets: int, **changes: object) -> tuple[Rounds, list]:
    rounds, out = Rounds(0, settings(cores=4, core_of=(0, 1), **changes)), []
    rounds.shoot(VM, Shoot(4, 3, 0, (1, 2), targets, 7), out)
    return rounds, out


def test_every_target_is_interrupted_and_each_costs_time():
    send = Spend(COSTS.ipi_send_ns)
    expected = [Note(Shooting(4, 2)), send, Send(1, IPI), send, Send(3, IPI)]
    assert shot(1, 3)[1] == expected


def test_with_nobody_to_interrupt_it_is_complete_at_once():
    rounds, out = shot()
    assert out == [Send(VM, Invalidated(4, 3))]
    assert rounds.in_flight == {}


def test_the_last_acknowledgement_completes_it():
    rounds, _ = shot(1, 3)
    out: list = []
    rounds.acknowledge(3, IpiAck(4, 3), out)
    assert out == []
    assert rounds.waiting() == ["shootdown of lane 4 lacks [1]"]
    rounds.acknowledge(1, IpiAck(4, 3), out)
    assert out == [Note(Shot(4, 2)), Send(VM, Invalidated(4, 3))]
    assert rounds.waiting() == []


@pytest.mark.parametrize(("src", "m"), [(2, (4, 3)), (1, (4, 2)), (1, (5, 3))])
def test_an_acknowledgement_that_nobody_owes_is_refused(src: int, m: tuple[int, int]):
    rounds, _ = shot(1, 3)
    with pytest.raises(ProtocolError, match="but the round is"):
        rounds.acknowledge(src, IpiAck(*m), [])


def test_nobody_acknowledges_twice():
    rounds, _ = shot(1, 3)
    rounds.acknowledge(1, IpiAck(4, 3), [])
    with pytest.raises(ProtocolError):
        rounds.acknowledge(1, IpiAck(4, 3), [])


def test_a_broadcast_goes_to_all_others_and_is_charged_to_issue_and_to_wait():
    rounds, out = shot(1, policy=BROADCAST)
    tlbi = Tlbi(4, 3, 0, (1, 2))
    issued = -(-2 // COSTS.tlbi_pages)
    assert out == [
        Spend(COSTS.tlbi_issue_ns * issued),
        Note(Shooting(4, 0)),
        *(Send(core, tlbi) for core in (1, 2, 3)),
    ]
    out = []
    for core in (1, 2, 3):
        rounds.acknowledge(core, TlbiDone(4, 3), out)
    assert out == [Spend(COSTS.tlbi_wait_ns), Note(Shot(4, 0)), Send(VM, Invalidated(4, 3))]


def test_rounds_of_several_operations_are_apart():
    rounds, _ = shot(1, 3)
    rounds.shoot(VM, Shoot(9, 1, 0, (), (1,), 0), [])
    rounds.acknowledge(1, IpiAck(9, 1), [])
    assert list(rounds.in_flight) == [4]


def test_a_clone_counts_its_own():
    rounds, _ = shot(1, 3)
    twin = rounds.clone()
    assert twin.freeze() == rounds.freeze()
    twin.acknowledge(1, IpiAck(4, 3), [])
    assert twin.freeze() != rounds.freeze()
    assert rounds.in_flight[4].pending == {1, 3}
