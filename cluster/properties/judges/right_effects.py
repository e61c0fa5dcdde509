"""What system calls mean for what a process may do where."""

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At
from cluster.properties.known.calls import InFlight
from cluster.properties.known.known import Known
from cluster.properties.known.rights import UNSURE
from cluster.properties.outcomes import Outcome
from kernel.units import VPN_LIMIT, page_span

#: calls that set the rights of a range, or take them, and what they set
_SETS = frozenset({OpKind.MMAP, OpKind.MUNMAP, OpKind.MPROTECT, OpKind.EXIT, OpKind.EXEC})
_WHOLE = frozenset({OpKind.EXIT, OpKind.EXEC})


def _range(m: Call) -> tuple[int, int]:
    return (0, VPN_LIMIT) if m.kind in _WHOLE else page_span(m.va, m.length)


def _allowed(m: Call) -> int:
    return m.args[0] if m.kind in (OpKind.MMAP, OpKind.MPROTECT) else 0


def called(known: Known, m: Call, at: At) -> None:
    """Note that a call arrived which may change rights."""
    if m.kind in _SETS:
        known.rights.begins(m.asid, *_range(m), _allowed(m), at)
    elif m.kind == OpKind.MREMAP:
        for span in (_range(m), page_span(*m.args[:2])):
            known.rights.begins(m.asid, *span, UNSURE, at)


def returned(known: Known, flight: InFlight, done: Outcome, at: At) -> None:
    """Note that a call has returned, and what is allowed now."""
    m, called, rights = flight.call, flight.at, known.rights
    if m.kind in _WHOLE:
        rights.ended[m.asid] = at, ((m.op,) if m.kind == OpKind.EXEC else ())
    if m.kind in _SETS:
        if done is Outcome.NOTHING:
            rights.fails(m.asid, *_range(m), called)
        elif done is Outcome.PART:
            rights.ends(m.asid, *_range(m), called, at, UNSURE)
        else:
            _set(known, m, called, at)
    elif m.kind == OpKind.MREMAP:
        old, new = _range(m), page_span(*m.args[:2])
        if done is Outcome.DONE:
            rights.moved(m.asid, old, new, called, at, keep=bool(m.args[2]))
        else:
            rights.fails(m.asid, *old, called)
            rights.ends(m.asid, *new, called, at, UNSURE)


def _set(known: Known, m: Call, called: At, at: At) -> None:
    """Note what is allowed; mprotect opens nothing where nothing is mapped."""
    rights, span = known.rights, _range(m)
    rights.ends(m.asid, *span, called, at, _allowed(m))
    if m.kind == OpKind.MPROTECT and _allowed(m):
        mapped = known.places.maybe(m.asid, *span)
        if sum(high - low for _, low, high, _ in mapped) < span[1] - span[0]:
            rights.ends(m.asid, *span, called, at, UNSURE)


def fork(
    known: Known, parent: int, child: int, nothing: list[tuple[int, int, bool]], at: At
) -> None:
    """Note what a child may do: what its parent may, but where it has nothing."""
    known.rights.fork(parent, child)
    for low, high, certain in nothing:
        known.rights.sets(child, low, high, 0 if certain else UNSURE, at)


def unsure(known: Known, asid: int, m: Call, at: At) -> None:
    """Note that what a child may do in the range of a call of its parent is not certain."""
    known.rights.sets(asid, *page_span(m.va, m.length), UNSURE, at)
