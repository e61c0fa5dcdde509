"""Each deadline is of use: with all others gone, it finds a machine that forgets the flush.

The operation changes the page table, flushes nothing, interrupts nobody and notes nothing; it
goes on as if it had. A search of every order on two cores finds it by this deadline alone.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actors.machine import Effect
from actors.operation import OpKind
from actors.vm import steps
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import deferral, shootdown
from actors.vm.phases import Phase
from actors.vm.state import VmState
from cluster.explore.strategies.stateful import search
from cluster.explore.world import World
from cluster.properties import deadlines
from cluster.properties.deadlines import FRAMES, RETURNS, Deadline
from cluster.properties.judges import due
from cluster.scenario.setup import Setup
from kernel.policy.promises import Property
from kernel.vmspace import VmSpace
from tests.cluster.explore.test_explored import FATAL, LINUX, Program, tiny

_FLUSHES = (
    shootdown.zero_generations, shootdown.interrupt_active,
    deferral.zero_generations, deferral.interrupt_or_defer,
)  # fmt: skip


def _forget(vm: VmState, _space: VmSpace, op: Op[Any], _out: list[Effect]) -> Op[Any]:
    """Take the flush as done."""
    vm.entries.has_flushed(op.flush.gone)
    return advance(replace(op, flush=replace(op.flush, gone=())))


def forgetful(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return the phases of an operation that forgets its flushes."""
    return tuple(
        msgspec.structs.replace(phase, step=_forget) if phase.step in _FLUSHES else phase
        for phase in phases
    )


def every_row() -> Iterator[tuple[str, Deadline]]:
    for kind, rows in RETURNS.items():
        for row in rows:
            yield f"{kind.name} {row.due.value}{' left' * row.left}", row
    for row in FRAMES:
        yield f"frame {row.name}", row


ROWS = dict(every_row())
FILE = "map 1 1 rw shared file:1"
DEFERRED = {"preset": "deferred-tlb-strict", "deadline_ns": 0, "zeroing": "inline"}
CLEAN = {**FATAL, "track_clean": "on"}
Policy = dict[str, str | int]
#: row -> which operation forgets, policy, threads (a and c on one core, b on the other), machine
FORGETS: dict[str, tuple[OpKind, Policy, tuple[Program, ...], dict[str, int | str]]] = {
    "MUNMAP rights": (
        OpKind.MUNMAP, LINUX, ([FILE, "create b", "unmap 1 1"], ["load 1"]), {},
    ),
    "MMAP rights": (
        OpKind.MMAP, LINUX, ([FILE, "create b", "map 1 1"], ["load 1"]), {},
    ),
    "MPROTECT rights": (
        OpKind.MPROTECT, LINUX, (["map 1 1", "create b", "protect 1 1 none"], ["load 1"]), {},
    ),
    "MPROTECT writing": (
        OpKind.MPROTECT, LINUX, (["map 1 1", "create b", "protect 1 1 r"], ["store 1"]), {},
    ),
    "MREMAP rights": (
        OpKind.MREMAP, LINUX, (["map 1 1", "create b", "move 1 1 to 5"], ["load 1"]), {},
    ),
    "ADVISE_DONTNEED rights": (
        OpKind.ADVISE_DONTNEED, LINUX, ([FILE, "create b", "dontneed 1 1"], ["load 1"]), {},
    ),
    "ADVISE_REMOVE rights": (
        OpKind.ADVISE_REMOVE, LINUX, ([FILE, "create b", "remove 1 1"], ["load 1"]), {},
    ),
    "GUARD_INSTALL rights": (
        OpKind.GUARD_INSTALL, LINUX,
        (["map 1 1", "create b", "guard-install 1 1"], ["load 1"]), {},
    ),
    "ADVISE_FREE dirty bit": (
        OpKind.ADVISE_FREE, {"preset": "madv-free"},
        (["map 1 1", "create b", "free 1 1"], ["store 1"]), {},
    ),
    "FORK writing": (
        OpKind.FORK, LINUX, (["map 1 1", "create b", "fork c"], ["store 1"], ["load 1"]),
        {"grain": "fused"},
    ),
    "EXIT rights": (
        OpKind.EXIT, LINUX, ([FILE, "create b", "quit"], ["load 1"]), {},
    ),
    "EXEC rights": (
        OpKind.EXEC, LINUX, ([FILE, "create b", "exec"], ["load 1"]), {},
    ),
    "HOLE rights": (
        OpKind.HOLE, FATAL, (["map 1 1", "create b", "hole 1 1"], ["load 1"]), {},
    ),
    "HOLE rights left": (
        OpKind.HOLE, DEFERRED,
        (["map 1 1", "create b", "hole 1 1"], ["load 1", "await a 2"]), {"grain": "fused"},
    ),
    "HOLE dirty bit": (
        OpKind.HOLE, {**CLEAN, "no_access": "none", "invalidate": "none",
                      "hole_access": "permissive", "hole_state": "page-flag",
                      "fork_hole": "cow-share"},
        (["map 1 1", "create b", "hole 1 1"], ["store 1"]), {},
    ),
    "ZERO rights": (
        OpKind.ZERO, {**FATAL, "zeroing": "inline"},
        (["map 1 1", "create b", "zero 1 1"], ["load 1"]), {"grain": "fused"},
    ),
    "frame free": (
        OpKind.ADVISE_DONTNEED, LINUX, (["map 1 1", "create b", "dontneed 1 1"], ["load 1"]), {},
    ),
    "frame zeroing": (
        OpKind.HOLE, FATAL, (["map 1 1", "create b", "hole 1 1"], ["store 1"]), {},
    ),
    "frame copy": (
        OpKind.FORK, LINUX, (["map 1 1", "create b", "fork c"], ["store 1"], ["store 1"]),
        {"grain": "fused"},
    ),
    "frame page-out": (
        OpKind.ADVISE_PAGEOUT, LINUX, (["map 1 1", "create b", "pageout 1 1"], ["store 1"]),
        {"grain": "fused", "swap_slots": 4},
    ),
    "frame replacement": (
        OpKind.FAULT, LINUX,
        (["map 1 1", "store 1", "create b", "fork c", "await b 0", "store 1"], ["load 1"],
         ["think 1"]),
        {"grain": "fused"},
    ),
}  # fmt: skip


def setup_for(name: str) -> Setup:
    _, policy, threads, machine = FORGETS[name]
    return tiny(policy, threads, **machine)


@pytest.fixture
def alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one row of the table, and no promise but TRANSLATION."""
    name: str = request.param
    row = ROWS[name]
    kept = {kind: tuple(one for one in rows if one is row) for kind, rows in RETURNS.items()}
    of_frame, replaced = due.of_frame, due.replaced
    monkeypatch.setattr(due, "RETURNS", kept)
    monkeypatch.setattr(
        due, "of_frame", lambda known, vm, one, *a: one is row and of_frame(known, vm, one, *a)
    )
    if row is not deadlines.REPLACED:
        monkeypatch.setattr(due, "replaced", lambda *_: None)
    else:
        monkeypatch.setattr(due, "replaced", replaced)
    monkeypatch.setattr(
        "cluster.properties.known.given.promises", lambda _: frozenset({Property.TRANSLATION})
    )
    return name


def test_every_row_is_tried() -> None:
    assert set(FORGETS) == set(ROWS)


@pytest.mark.parametrize("alone", FORGETS, indirect=True)
def test_a_deadline_finds_who_forgets(alone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = FORGETS[alone][0]
    monkeypatch.setitem(steps.STEPS, kind, forgetful(steps.STEPS[kind]))
    states = search(World(setup_for(alone)), budget=60_000)
    found = [one.promise for one in states.found]
    assert found[:1] == ["translation"], f"{states.states} states, and this was noticed: {found}"


@pytest.mark.parametrize("name", FORGETS)
def test_nobody_is_accused_who_does_not_forget(name: str) -> None:
    states = search(World(setup_for(name)), budget=3_000)
    assert states.found == []
