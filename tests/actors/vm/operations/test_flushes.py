"""Phases of a shootdown, of what is left to other cores, and of a context switch."""

from actors.facts import CoresCaughtUp, EntriesGone
from actors.messages import Shoot, Switched
from actors.operation import OpKind, OpState
from actors.vm.deferrals import Deferral
from actors.vm.entries import NO_FRAME
from actors.vm.op import Flush, replace
from actors.vm.operations.flushes import deferral, shootdown, switch
from actors.vm.payloads import NOTHING, CatchUp, Hole, Switch
from tests.support.stepped_vm import SteppedVm, op_of, va


def taken(one: SteppedVm, *places: int) -> Flush:
    return Flush(gone=tuple(one.vm.entries.must_flush(at, 7) for at in places))


def test_a_shootdown_has_a_round_for_each_space() -> None:
    one = SteppedVm()
    one.space.pmap.active = one.space.pmap.gens = 0b11
    op = op_of(OpKind.MUNMAP, NOTHING, 4, 5, flush=taken(one, va(4), va(4, asid=1)))
    op = one.step(shootdown.zero_generations, op)
    assert one.space.pmap.gens == 0b01
    assert one.noted(EntriesGone)[0].vpns == (4,)
    op = one.step(shootdown.interrupt_active, op)
    assert (op.state, one.sent(Shoot)[0].targets) == (OpState.ACKS, (1,))
    op = shootdown.invalidated(one.vm, op)
    assert (op.flush.gone, op.flush.round, op.phase) == (((va(4, asid=1), 7),), 1, 0)
    assert one.vm.entries.unflushed.places == {va(4, asid=1): (7,)}


def test_spared_cores_are_not_interrupted() -> None:
    one = SteppedVm(machine={"cores": 4})
    one.space.pmap.active = 0b1111
    flush = Flush(gone=(one.vm.entries.must_flush(4, 7),), spared=0b0100)
    one.step(shootdown.interrupt_active, op_of(OpKind.ZERO, NOTHING, 4, 5, flush=flush))
    assert one.sent(Shoot)[0].targets == (1, 3)


def test_what_another_operation_owes_is_joined_once() -> None:
    one = SteppedVm()
    one.vm.entries.must_flush(4, 7)  # of a page that is gone
    op = op_of(OpKind.MUNMAP, NOTHING, 4, 6)
    assert not shootdown.JOIN_FLUSHES.idle(one.vm, one.space, op)
    op = one.step(shootdown.join_flushes, op)
    assert op.flush.gone == ((4, 7),)
    assert shootdown.JOIN_FLUSHES.idle(one.vm, one.space, op)


def test_a_hole_leaves_its_flush_to_the_active_cores() -> None:
    one = SteppedVm(preset="deferred-tlb")
    one.space.pmap.active = 0b11
    op = op_of(OpKind.HOLE, Hole(), 4, 5, flush=taken(one, 4))
    op = one.step(deferral.interrupt_or_defer, op)
    assert op.own.deferral == 1
    assert deferral.left_to_others(one.vm, op)
    assert one.vm.deferrals.notes[1].awaiting == ((0, 0b10),)
    assert one.sent(Shoot)[0].targets == ()

    deferral.caught_up(one.vm, 5, 0b10, 0, 1, one.out)
    assert not deferral.left_to_others(one.vm, op)
    assert one.noted(CoresCaughtUp)[0].vpns == (4,)


def test_a_caller_invalidates_itself_what_another_hole_has_left_to_it() -> None:
    one = SteppedVm(preset="deferred-tlb")
    one.vm.deferrals.leave(Deferral(((4, 7), (9, 8)), ((0, 0b01),)))
    op = one.step(deferral.interrupt_or_defer, op_of(OpKind.HOLE, Hole(), 4, 5))
    assert (op.state, op.own.deferral) == (OpState.ACKS, -1)
    shot = one.sent(Shoot)[0]
    assert (shot.vpns, shot.about, shot.targets) == ((), (4, 5), ())
    assert shootdown.invalidated(one.vm, op).phase == 1
    assert one.vm.deferrals.missed(0, 0) == (1, (4, 9))
    other = replace(op_of(OpKind.HOLE, Hole(), 4, 5), by=1)
    assert one.step(deferral.interrupt_or_defer, other).phase == 1


def test_with_no_other_core_nothing_is_left_to_any() -> None:
    one = SteppedVm(preset="deferred-tlb")
    one.space.pmap.active = 0b01
    op = one.step(
        deferral.interrupt_or_defer, op_of(OpKind.HOLE, Hole(), 4, 5, flush=taken(one, 4))
    )
    assert op.own.deferral == -1
    assert not one.vm.deferrals.notes


def test_the_deadline_interrupts_those_that_are_late() -> None:
    one = SteppedVm(preset="deferred-tlb")
    one.space.pmap.active = 0b11
    one.step(deferral.interrupt_or_defer, op_of(OpKind.HOLE, Hole(), 4, 5, flush=taken(one, 4)))
    op = one.step(deferral.look, op_of(OpKind.CATCH_UP, CatchUp(upto=1)))
    assert (op.flush.gone, ~op.flush.spared) == (((4, NO_FRAME),), 0b10)
    op = one.step(deferral.late_caught_up, op)
    assert (op.phase, one.vm.deferrals.notes) == (0, {})
    assert one.step(deferral.look, op).phase == len(deferral.PHASES)


def test_a_core_that_switches_in_reads_its_generation_after_its_bit_is_set() -> None:
    one = SteppedVm()
    op = op_of(OpKind.SWITCH, Switch(within=False))
    op = one.step(switch.set_active, op)
    assert one.space.pmap.active == 0b01
    op = one.step(switch.read_generation, op)
    assert (op.own.good, op.error) == (False, -1)
    assert not one.sent(Switched)[0].keep
    assert one.space.pmap.gens == 0b01

    op = op_of(OpKind.SWITCH, Switch(within=False))
    assert one.step(switch.read_generation, one.step(switch.set_active, op)).own.good


def test_with_the_hazard_the_generation_is_read_before_the_bit_is_set() -> None:
    one = SteppedVm(hazards=("generation-before-bit",))
    one.space.pmap.gens = 0b01
    op = one.step(switch.set_active, op_of(OpKind.SWITCH, Switch(within=False)))
    assert (op.own.good, one.space.pmap.active) == (True, 0)
    one.space.pmap.gens = 0  # a shootdown comes in between, and is not seen
    one.step(switch.read_generation, op)
    assert one.sent(Switched)[0].keep
