"""System calls as operations: arguments are decoded once, whichever the kind."""

import pytest

from actors.messages import Call
from actors.operation import POPULATES, OpKind
from actors.vm.operations import calls
from actors.vm.payloads import (
    Dma,
    Dontneed,
    Fault,
    Fork,
    Inherit,
    Map,
    Mlock,
    Payload,
    Protect,
    Remap,
)
from actors.vm.phases import Phase
from actors.vm.steps import STEPS
from kernel.units import PAGE_SIZE
from tests.support.stepped_vm import SteppedVm

VM = SteppedVm().vm
#: kinds that no system call begins, or that never become an operation
NO_CALLS = {
    OpKind.FAULT,
    OpKind.RECLAIM,
    OpKind.LAUNDER,
    OpKind.AGE,
    OpKind.SWITCH,
    OpKind.CATCH_UP,
}
ARGUMENTS = {
    OpKind.MMAP: ((3, 1, -1, 0), Map(prot=3, shared=True, file=-1, first=0)),
    OpKind.MPROTECT: ((1,), Protect(1)),
    OpKind.MINHERIT: ((8, 0), Inherit(8, 0)),
    OpKind.FORK: ((1,), Fork(child=1)),
    OpKind.MREMAP: (
        (9 * PAGE_SIZE, 1, 1),
        Remap(old=4, old_end=6, new=9, new_end=10, keep=True, end=6),
    ),
    OpKind.ADVISE_DONTNEED: ((1,), Dontneed(locked=True)),
    OpKind.POPULATE: ((1, POPULATES), Fault(4, write=True, behalf=POPULATES)),
    OpKind.MLOCK: ((0, POPULATES), Mlock(4, write=False, behalf=POPULATES)),
    OpKind.DMA: ((1, POPULATES, 2), Dma(4, write=True, behalf=POPULATES, device=2)),
}


@pytest.mark.parametrize("kind", [k for k in STEPS if k not in NO_CALLS], ids=lambda k: k.name)
def test_a_call_becomes_an_operation_of_its_family(kind: OpKind) -> None:
    args, own = ARGUMENTS.get(kind, ((), None))
    m = Call(3, 0, kind, 0, 4 * PAGE_SIZE, 2 * PAGE_SIZE, args)
    try:
        op = calls.operation(VM.settings, 1, kind, m, 50)
    except KeyError:
        pytest.fail(f"actors/vm/operations/calls.py does not say what becomes of {kind.name}")
    assert (op.lane, op.by, op.kind, op.asid) == (3, 1, kind, 0)
    assert (op.start, op.end, op.cursor, op.ns) == (4, 6, 4, 50)
    assert isinstance(op.own, Payload)
    assert own in (None, op.own)
    assert op.phase < len(STEPS[kind])


@pytest.mark.parametrize("kind", [OpKind.POPULATE, OpKind.MLOCK, OpKind.DMA])
def test_calls_that_fault_pages_in_do_not_begin_with_a_fault(kind: OpKind) -> None:
    args, _ = ARGUMENTS[kind]
    m = Call(3, 0, kind, 0, 4 * PAGE_SIZE, PAGE_SIZE, args)
    op = calls.operation(VM.settings, 1, kind, m, 0)
    fault = len(STEPS[OpKind.FAULT])
    assert op.phase >= fault
    assert STEPS[kind][:fault] == STEPS[OpKind.FAULT]


def test_tables_of_phases_are_plain_data() -> None:
    for phases in STEPS.values():
        assert isinstance(phases, tuple)
        for phase in phases:
            assert isinstance(phase, Phase)
            assert phase.name.isidentifier()
