"""What system calls mean for what a process may do where."""

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At
from cluster.properties.known.calls import InFlight
from cluster.properties.known.known import Known
from cluster.properties.known.places import NotInherited
from cluster.properties.known.timelines import READ, UNSURE, WRITE
from cluster.properties.outcomes import Outcome
from kernel.units import VPN_LIMIT, page_span

#: calls that set the rights of a range, or take them, and what they set
_SETS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.MPROTECT, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})
#: calls that put guards over memory, and take them away, and what is allowed then
_GUARDS: dict[int, int] = {OpKind.GUARD_INSTALL: 0, OpKind.GUARD_REMOVE: READ | WRITE}
#: calls that take guards away with the memory
_UNGUARDS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.MREMAP, OpKind.EXIT, OpKind.EXEC})


def _range(m: Call) -> tuple[int, int]:
    return (0, VPN_LIMIT) if m.kind in _WHOLE else page_span(m.va, m.length)


def _allowed(m: Call) -> int:
    return m.args[0] if m.kind in (OpKind.MMAP, OpKind.MPROTECT) else 0


def called(known: Known, m: Call, at: At) -> None:
    """Note that a call arrived which may change rights."""
    rights = known.rights
    if m.kind in _SETS:
        rights.protections.begins(m.asid, *_range(m), _allowed(m), at)
    elif m.kind == OpKind.MREMAP:
        for span in (_range(m), page_span(*m.args[:2])):
            rights.protections.begins(m.asid, *span, UNSURE, at)
    if m.kind in _GUARDS:
        rights.guards.begins(m.asid, *_range(m), _GUARDS[m.kind], at)
    elif m.kind in _UNGUARDS and len(rights.guards.of[m.asid]):
        for span in _guarded(m):
            rights.guards.begins(m.asid, *span, UNSURE, at)


def _guarded(m: Call) -> list[tuple[int, int]]:
    """List where a call may take guards away, or move them to."""
    return [_range(m), page_span(*m.args[:2])] if m.kind == OpKind.MREMAP else [_range(m)]


def returned(known: Known, flight: InFlight, done: Outcome, at: At) -> None:
    """Note that a call has returned, and what is allowed now."""
    m, called, rights = flight.call, flight.at, known.rights
    protections = rights.protections
    if m.kind in _WHOLE:
        rights.ended[m.asid] = at, ((m.op,) if m.kind == OpKind.EXEC else ())
    if m.kind in _SETS:
        if done is Outcome.NOTHING:
            protections.fails(m.asid, *_range(m), called)
        elif done is Outcome.PART:
            protections.ends(m.asid, *_range(m), called, at, UNSURE)
        else:
            _set(known, m, called, at)
    elif m.kind == OpKind.MREMAP:
        old, new = _range(m), page_span(*m.args[:2])
        if done is Outcome.DONE:
            protections.moved(m.asid, old, new, called, at, keep=bool(m.args[2]))
        else:
            protections.fails(m.asid, *old, called)
            protections.ends(m.asid, *new, called, at, UNSURE)
    _guards(known, m, called, done, at)


def _guards(known: Known, m: Call, called: At, done: Outcome, at: At) -> None:
    """Note where guards are now; what mremap moves is not followed."""
    guards = known.rights.guards
    if m.kind not in _GUARDS and m.kind not in _UNGUARDS:
        return
    for span in _guarded(m):
        if done is Outcome.NOTHING:
            guards.fails(m.asid, *span, called)
        elif done is Outcome.PART or m.kind == OpKind.MREMAP:
            guards.ends(m.asid, *span, called, at, UNSURE)
        else:
            guards.ends(m.asid, *span, called, at, _GUARDS.get(m.kind, READ | WRITE))


def _set(known: Known, m: Call, called: At, at: At) -> None:
    """Note what is allowed; mprotect opens nothing where nothing is mapped."""
    rights, span = known.rights.protections, _range(m)
    rights.ends(m.asid, *span, called, at, _allowed(m))
    if m.kind == OpKind.MPROTECT and _allowed(m):
        mapped = known.places.maybe(m.asid, *span)
        if sum(high - low for _, low, high, _ in mapped) < span[1] - span[0]:
            rights.ends(m.asid, *span, called, at, UNSURE)


def fork(known: Known, parent: int, child: int, apart: NotInherited, at: At) -> None:
    """Note what a child may do: what its parent may, but where it has nothing, or fresh memory."""
    rights = known.rights
    rights.fork(parent, child)
    for low, high, certain in apart.nothing:
        rights.protections.sets(child, low, high, 0 if certain else UNSURE, at)
    if len(rights.guards.of[child]):
        for low, high in apart.wiped:
            rights.guards.sets(child, low, high, READ | WRITE, at)


def unsure(known: Known, asid: int, m: Call, at: At) -> None:
    """Note that what a child may do in the range of a call of its parent is not certain."""
    known.rights.protections.sets(asid, *page_span(m.va, m.length), UNSURE, at)
