"""The record of an operation in flight: what every kind has, and one payload of its kind.

An operation goes through the phases of its kind (`actors/vm/phases.py`). What another actor may see
in between is just what lies between two phases, or between two pages of a scanning phase.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from actors.operation import OpKind, OpState
from actors.vm.payloads import Payload

#: of functions that take and return operations of one family
P = TypeVar("P", bound=Payload)
#: an operation whose payload extends another is good for the phases of that one
P_co = TypeVar("P_co", bound=Payload, covariant=True)

replace = msgspec.structs.replace


class Flush(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an operation's shootdown owes."""

    #: entries taken away whose invalidation is due: (asid << ASID_SHIFT | vpn, frame)
    gone: tuple[tuple[int, int], ...] = ()
    #: frames to free once that is complete
    frames: tuple[int, ...] = ()
    #: rounds that are complete: each is about one address space
    round: int = 0
    #: cores that need no interrupt (a mask)
    spared: int = 0
    #: pm_active as it was before the generations were zeroed (the hazard generation-after-mask)
    active: int = 0
    #: the entries below this (asid << ASID_SHIFT | vpn) are flushed by the round in flight
    until: int = 0
    #: invalidations left to other cores, up to this number, that the round makes as well
    covers: int = 0

    def owing(self, gone: Iterable[tuple[int, int]]) -> "Flush":
        """Return it with more entries that were taken away."""
        return replace(self, gone=(*self.gone, *gone))


#: of an operation that has taken nothing away
NOTHING_DUE = Flush()


class Op(msgspec.Struct, Generic[P_co], frozen=True, gc=False, array_like=True):
    """An operation of one lane, as its last step left it."""

    #: who runs it: a guest thread or a kernel thread; its messages' `op`
    lane: int
    #: its initiator: the core or kernel thread that is charged for it
    by: int
    kind: OpKind
    asid: int
    #: the pages that its phases are about now: [start, end)
    start: int
    end: int
    #: what only operations of its family know
    own: P_co
    state: OpState = OpState.READY
    #: index of the phase that comes next
    phase: int = 0
    #: next page that a scanning phase looks at
    cursor: int = 0
    #: kernel work done and not yet charged to the initiator
    ns: int = 0
    #: what it returns; -1: its initiator has been told otherwise
    error: int = 0
    flush: Flush = NOTHING_DUE
    #: objects that lost a reference, to be settled when the map is unlocked
    drops: tuple[int, ...] = ()


def advance(op: Op[P], ns: int = 0) -> Op[P]:
    """Go to the next phase; scanning starts over at the range's first page."""
    return replace(op, phase=op.phase + 1, cursor=op.start, ns=op.ns + ns)
