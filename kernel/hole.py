"""THE TABLE: the life of one resident page of a hole.

Every pair (state, event) is either a row of `TABLE` or in `ILLEGAL` (a test requires that together
they are total), and nothing else changes the hole state of a page. PROTOCOL.md is rendered from
this file. A transient condition is a state, never a flag.

A row is about one *resident* page. Where the holes are is recorded elsewhere: in the map or beside
it, or nowhere (hole_state = page-flag). A page that is reclaimed or discarded leaves the table. The
policy decides which event an operation raises, never what the event does:

    HOLE         madvise(MADV_FREE_HOLE), or a ZERO that finds a page outside a hole
    DEFER        HOLE returns; the cores that may hold the old entry invalidate it later
    RECALL       ZERO under `flush-then-zero` takes such a page back and flushes it itself
    KNOWN        its contents are known to be zero (track_clean): nobody has stored to it
    FLUSHED      no TLB holds the page's old entry any more (or the policy requires no flush)
    OFFER        the page is handed to the zeroing thread
    TAKE         the zeroing thread asks for it
    DONE         the zeroing thread has zeroed it
    ZERO         madvise(MADV_FREE_ZERO), where none of ZERO_NOW, STEAL and DIRTIED applies
    ZERO_NOW     the same under `zero-then-repermit` on a page whose flush is outstanding
    STEAL        the same under `background-steal` on a page in the zeroing thread's hands
    CEDED        the zeroing thread gave it up; its own chunks are acknowledged
    INLINE_DONE  the caller of ZERO has zeroed it
    DIRTIED      ZERO finds that a page zeroed in the background was stored to since
    GRANT        ZERO ends: the page may be used again (the linearisation point of ZERO)
    TOUCH        a fault on the page under `permissive`, rogue = stay-hole
    ROGUE        a fault on the page under `permissive`, rogue = reuse-page
    RECLAIM      the page daemon takes the frame, whatever the dirty bit says
    DISCARD      munmap, MADV_DONTNEED or MAP_FIXED on top: the page goes

Source: issue 1318 (davidchisnall's steps 1 to 4, nwf's fatal faults, markjdb's page flag).
"""

from enum import IntEnum


class HoleState(IntEnum):
    """States of a resident page."""

    #: not in a hole
    LIVE = 0
    #: in a hole; some TLB may still hold its old entry
    FLUSHING = 1
    #: in a hole; nothing left to do until ZERO or reclaim
    IDLE = 2
    #: waiting for the zeroing thread
    QUEUED = 3
    #: in the zeroing thread's hands, busy
    ZEROING = 4
    #: ZERO has asked the zeroing thread to give it up
    STEALING = 5
    #: being zeroed by the caller of ZERO, busy
    INLINE = 6
    #: zeroed, and not stored to since as far as the policy can tell
    ZEROED = 7
    #: in a hole; some TLB may still hold its old entry, and nobody waits for it
    DEFERRED = 8


class HoleEvent(IntEnum):
    """What happens to a page; the head of the file explains each."""

    HOLE = 0
    FLUSHED = 1
    OFFER = 2
    TAKE = 3
    DONE = 4
    ZERO = 5
    ZERO_NOW = 6
    STEAL = 7
    CEDED = 8
    INLINE_DONE = 9
    DIRTIED = 10
    GRANT = 11
    TOUCH = 12
    ROGUE = 13
    RECLAIM = 14
    DISCARD = 15
    DEFER = 16
    RECALL = 17
    KNOWN = 18


class Action(IntEnum):
    """What the operation that raised the event must also do."""

    #: leave it alone
    NOTHING = 0
    #: take its entries out of the resident set (removing an entry of a live page does so anyway)
    ACCOUNT_OUT = 1
    #: bring its entries into the resident set
    ACCOUNT_IN = 2
    #: tell the page daemon that the page is reclaimable
    HINT = 3
    #: wait until the page is no longer busy, then look again
    WAIT = 4
    #: zero it on the caller's time
    ZERO_INLINE = 5
    #: ask the zeroing thread to give it up, wait for its chunks
    ASK_ZEROER = 6
    #: refuse the zeroing thread: the page is not available (any more)
    REFUSE = 7
    #: free the frame, contents unknown
    FREE_FRAME = 8
    #: free the frame as known-zero
    FREE_ZEROED = 9
    #: count it: ZERO found it zeroed already
    SKIP_ZERO = 10


#: states in which somebody works on the page and holds it busy; the table says what others do
IN_HANDS = frozenset({HoleState.FLUSHING, HoleState.ZEROING, HoleState.STEALING, HoleState.INLINE})

_S = HoleState
_E = HoleEvent
_A = Action
_GONE = None

#: (state, event) -> (next state or None: the page left the table, actions)
TABLE: dict[tuple[HoleState, HoleEvent], tuple[HoleState | None, tuple[Action, ...]]] = {
    (_S.LIVE, _E.HOLE): (_S.FLUSHING, (_A.ACCOUNT_OUT,)),
    (_S.LIVE, _E.TAKE): (_S.LIVE, (_A.REFUSE,)),
    (_S.LIVE, _E.DISCARD): (_GONE, (_A.FREE_FRAME,)),
    (_S.LIVE, _E.RECLAIM): (_GONE, (_A.FREE_FRAME,)),
    (_S.FLUSHING, _E.HOLE): (_S.FLUSHING, (_A.WAIT,)),
    (_S.FLUSHING, _E.FLUSHED): (_S.IDLE, (_A.HINT,)),
    (_S.FLUSHING, _E.TAKE): (_S.FLUSHING, (_A.REFUSE,)),
    (_S.FLUSHING, _E.ZERO): (_S.FLUSHING, (_A.WAIT,)),
    (_S.FLUSHING, _E.ZERO_NOW): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.FLUSHING, _E.TOUCH): (_S.FLUSHING, (_A.WAIT,)),
    (_S.FLUSHING, _E.ROGUE): (_S.FLUSHING, (_A.WAIT,)),
    (_S.FLUSHING, _E.RECLAIM): (_S.FLUSHING, (_A.NOTHING,)),
    (_S.FLUSHING, _E.DISCARD): (_S.FLUSHING, (_A.WAIT,)),
    (_S.FLUSHING, _E.DEFER): (_S.DEFERRED, (_A.HINT,)),
    (_S.IDLE, _E.HOLE): (_S.FLUSHING, (_A.NOTHING,)),
    (_S.IDLE, _E.KNOWN): (_S.ZEROED, (_A.NOTHING,)),
    (_S.IDLE, _E.OFFER): (_S.QUEUED, (_A.NOTHING,)),
    (_S.IDLE, _E.TAKE): (_S.IDLE, (_A.REFUSE,)),
    (_S.IDLE, _E.ZERO): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.IDLE, _E.TOUCH): (_S.IDLE, (_A.NOTHING,)),
    (_S.IDLE, _E.ROGUE): (_S.LIVE, (_A.ACCOUNT_IN,)),
    (_S.IDLE, _E.RECLAIM): (_GONE, (_A.FREE_FRAME,)),
    (_S.IDLE, _E.DISCARD): (_GONE, (_A.FREE_FRAME,)),
    (_S.QUEUED, _E.HOLE): (_S.QUEUED, (_A.NOTHING,)),
    (_S.QUEUED, _E.TAKE): (_S.ZEROING, (_A.NOTHING,)),
    (_S.QUEUED, _E.ZERO): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.QUEUED, _E.TOUCH): (_S.IDLE, (_A.NOTHING,)),
    (_S.QUEUED, _E.ROGUE): (_S.LIVE, (_A.ACCOUNT_IN,)),
    (_S.QUEUED, _E.RECLAIM): (_GONE, (_A.FREE_FRAME,)),
    (_S.QUEUED, _E.DISCARD): (_GONE, (_A.FREE_FRAME,)),
    (_S.ZEROING, _E.HOLE): (_S.ZEROING, (_A.NOTHING,)),
    (_S.ZEROING, _E.TAKE): (_S.ZEROING, (_A.REFUSE,)),
    (_S.ZEROING, _E.DONE): (_S.ZEROED, (_A.NOTHING,)),
    (_S.ZEROING, _E.ZERO): (_S.ZEROING, (_A.WAIT,)),
    (_S.ZEROING, _E.STEAL): (_S.STEALING, (_A.ASK_ZEROER,)),
    (_S.ZEROING, _E.TOUCH): (_S.ZEROING, (_A.WAIT,)),
    (_S.ZEROING, _E.ROGUE): (_S.ZEROING, (_A.WAIT,)),
    (_S.ZEROING, _E.RECLAIM): (_S.ZEROING, (_A.NOTHING,)),
    (_S.ZEROING, _E.DISCARD): (_S.ZEROING, (_A.WAIT,)),
    (_S.STEALING, _E.HOLE): (_S.STEALING, (_A.NOTHING,)),
    (_S.STEALING, _E.TAKE): (_S.STEALING, (_A.REFUSE,)),
    (_S.STEALING, _E.DONE): (_S.STEALING, (_A.NOTHING,)),
    (_S.STEALING, _E.STEAL): (_S.STEALING, (_A.WAIT,)),
    (_S.STEALING, _E.CEDED): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.STEALING, _E.TOUCH): (_S.STEALING, (_A.WAIT,)),
    (_S.STEALING, _E.ROGUE): (_S.STEALING, (_A.WAIT,)),
    (_S.STEALING, _E.RECLAIM): (_S.STEALING, (_A.NOTHING,)),
    (_S.STEALING, _E.DISCARD): (_S.STEALING, (_A.WAIT,)),
    (_S.INLINE, _E.HOLE): (_S.INLINE, (_A.WAIT,)),
    (_S.INLINE, _E.TAKE): (_S.INLINE, (_A.REFUSE,)),
    (_S.INLINE, _E.ZERO): (_S.INLINE, (_A.WAIT,)),
    (_S.INLINE, _E.INLINE_DONE): (_S.ZEROED, (_A.NOTHING,)),
    (_S.INLINE, _E.TOUCH): (_S.INLINE, (_A.WAIT,)),
    (_S.INLINE, _E.ROGUE): (_S.INLINE, (_A.WAIT,)),
    (_S.INLINE, _E.RECLAIM): (_S.INLINE, (_A.NOTHING,)),
    (_S.INLINE, _E.DISCARD): (_S.INLINE, (_A.WAIT,)),
    (_S.ZEROED, _E.HOLE): (_S.ZEROED, (_A.NOTHING,)),
    (_S.ZEROED, _E.TAKE): (_S.ZEROED, (_A.REFUSE,)),
    (_S.ZEROED, _E.ZERO): (_S.ZEROED, (_A.SKIP_ZERO,)),
    (_S.ZEROED, _E.DIRTIED): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.ZEROED, _E.GRANT): (_S.LIVE, (_A.ACCOUNT_IN,)),
    (_S.ZEROED, _E.TOUCH): (_S.IDLE, (_A.NOTHING,)),
    (_S.ZEROED, _E.ROGUE): (_S.LIVE, (_A.ACCOUNT_IN,)),
    (_S.ZEROED, _E.RECLAIM): (_GONE, (_A.FREE_ZEROED,)),
    (_S.ZEROED, _E.DISCARD): (_GONE, (_A.FREE_FRAME,)),
    (_S.DEFERRED, _E.HOLE): (_S.DEFERRED, (_A.NOTHING,)),
    (_S.DEFERRED, _E.FLUSHED): (_S.IDLE, (_A.NOTHING,)),
    (_S.DEFERRED, _E.TAKE): (_S.DEFERRED, (_A.REFUSE,)),
    (_S.DEFERRED, _E.ZERO_NOW): (_S.INLINE, (_A.ZERO_INLINE,)),
    (_S.DEFERRED, _E.RECALL): (_S.FLUSHING, (_A.NOTHING,)),
    (_S.DEFERRED, _E.TOUCH): (_S.IDLE, (_A.NOTHING,)),
    (_S.DEFERRED, _E.ROGUE): (_S.LIVE, (_A.ACCOUNT_IN,)),
    (_S.DEFERRED, _E.RECLAIM): (_GONE, (_A.FREE_FRAME,)),
    (_S.DEFERRED, _E.DISCARD): (_GONE, (_A.FREE_FRAME,)),
}

#: pairs that no operation may raise, by the reason that PROTOCOL.md prints
ILLEGAL_BECAUSE: dict[str, tuple[tuple[HoleState, HoleEvent], ...]] = {
    "only a page whose flush is outstanding is flushed; a HOLE that lost it to ZERO says nothing": (
        (_S.LIVE, _E.FLUSHED),
        (_S.IDLE, _E.FLUSHED),
        (_S.QUEUED, _E.FLUSHED),
        (_S.ZEROING, _E.FLUSHED),
        (_S.STEALING, _E.FLUSHED),
        (_S.INLINE, _E.FLUSHED),
        (_S.ZEROED, _E.FLUSHED),
    ),
    "only a flushed page that nobody works on is offered": (
        (_S.LIVE, _E.OFFER),
        (_S.FLUSHING, _E.OFFER),
        (_S.QUEUED, _E.OFFER),
        (_S.ZEROING, _E.OFFER),
        (_S.STEALING, _E.OFFER),
        (_S.INLINE, _E.OFFER),
        (_S.ZEROED, _E.OFFER),
        (_S.DEFERRED, _E.OFFER),
    ),
    "the zeroing thread reports only what it has in hand": (
        (_S.LIVE, _E.DONE),
        (_S.FLUSHING, _E.DONE),
        (_S.IDLE, _E.DONE),
        (_S.QUEUED, _E.DONE),
        (_S.INLINE, _E.DONE),
        (_S.ZEROED, _E.DONE),
        (_S.DEFERRED, _E.DONE),
    ),
    "ZERO makes a page a hole before it zeroes it": ((_S.LIVE, _E.ZERO),),
    "a page whose flush is left to other cores is zeroed at once (ZERO_NOW) or recalled first": (
        (_S.DEFERRED, _E.ZERO),
    ),
    "HOLE leaves to other cores only a flush that it would otherwise wait for": (
        (_S.LIVE, _E.DEFER),
        (_S.IDLE, _E.DEFER),
        (_S.QUEUED, _E.DEFER),
        (_S.ZEROING, _E.DEFER),
        (_S.STEALING, _E.DEFER),
        (_S.INLINE, _E.DEFER),
        (_S.ZEROED, _E.DEFER),
        (_S.DEFERRED, _E.DEFER),
    ),
    "whether a page is known to be zero is decided when it has been flushed": (
        (_S.LIVE, _E.KNOWN),
        (_S.FLUSHING, _E.KNOWN),
        (_S.QUEUED, _E.KNOWN),
        (_S.ZEROING, _E.KNOWN),
        (_S.STEALING, _E.KNOWN),
        (_S.INLINE, _E.KNOWN),
        (_S.ZEROED, _E.KNOWN),
        (_S.DEFERRED, _E.KNOWN),
    ),
    "only a flush that was left to other cores is recalled": (
        (_S.LIVE, _E.RECALL),
        (_S.FLUSHING, _E.RECALL),
        (_S.IDLE, _E.RECALL),
        (_S.QUEUED, _E.RECALL),
        (_S.ZEROING, _E.RECALL),
        (_S.STEALING, _E.RECALL),
        (_S.INLINE, _E.RECALL),
        (_S.ZEROED, _E.RECALL),
    ),
    "zeroing before the flush is a choice only while a flush is outstanding": (
        (_S.LIVE, _E.ZERO_NOW),
        (_S.IDLE, _E.ZERO_NOW),
        (_S.QUEUED, _E.ZERO_NOW),
        (_S.ZEROING, _E.ZERO_NOW),
        (_S.STEALING, _E.ZERO_NOW),
        (_S.INLINE, _E.ZERO_NOW),
        (_S.ZEROED, _E.ZERO_NOW),
    ),
    "only background-steal makes a page STEALING, and under it ZERO raises STEAL": (
        (_S.STEALING, _E.ZERO),
    ),
    "only a page in the zeroing thread's hands is stolen": (
        (_S.LIVE, _E.STEAL),
        (_S.FLUSHING, _E.STEAL),
        (_S.IDLE, _E.STEAL),
        (_S.QUEUED, _E.STEAL),
        (_S.INLINE, _E.STEAL),
        (_S.ZEROED, _E.STEAL),
        (_S.DEFERRED, _E.STEAL),
    ),
    "only a page that ZERO asked for is ceded": (
        (_S.LIVE, _E.CEDED),
        (_S.FLUSHING, _E.CEDED),
        (_S.IDLE, _E.CEDED),
        (_S.QUEUED, _E.CEDED),
        (_S.ZEROING, _E.CEDED),
        (_S.INLINE, _E.CEDED),
        (_S.ZEROED, _E.CEDED),
        (_S.DEFERRED, _E.CEDED),
    ),
    "only the caller of ZERO that zeroes a page reports it zeroed": (
        (_S.LIVE, _E.INLINE_DONE),
        (_S.FLUSHING, _E.INLINE_DONE),
        (_S.IDLE, _E.INLINE_DONE),
        (_S.QUEUED, _E.INLINE_DONE),
        (_S.ZEROING, _E.INLINE_DONE),
        (_S.STEALING, _E.INLINE_DONE),
        (_S.ZEROED, _E.INLINE_DONE),
        (_S.DEFERRED, _E.INLINE_DONE),
    ),
    "only a page believed zero can turn out dirtied": (
        (_S.LIVE, _E.DIRTIED),
        (_S.FLUSHING, _E.DIRTIED),
        (_S.IDLE, _E.DIRTIED),
        (_S.QUEUED, _E.DIRTIED),
        (_S.ZEROING, _E.DIRTIED),
        (_S.STEALING, _E.DIRTIED),
        (_S.INLINE, _E.DIRTIED),
        (_S.DEFERRED, _E.DIRTIED),
    ),
    "nothing is granted before it is zero": (
        (_S.LIVE, _E.GRANT),
        (_S.FLUSHING, _E.GRANT),
        (_S.IDLE, _E.GRANT),
        (_S.QUEUED, _E.GRANT),
        (_S.ZEROING, _E.GRANT),
        (_S.STEALING, _E.GRANT),
        (_S.INLINE, _E.GRANT),
        (_S.DEFERRED, _E.GRANT),
    ),
    "a fault on a page outside a hole does not concern the table": (
        (_S.LIVE, _E.TOUCH),
        (_S.LIVE, _E.ROGUE),
    ),
}

ILLEGAL: frozenset[tuple[HoleState, HoleEvent]] = frozenset(
    pair for pairs in ILLEGAL_BECAUSE.values() for pair in pairs
)


class IllegalTransitionError(AssertionError):
    """An operation raised an event that is illegal in the page's state: our invariant broke."""


def transition(state: HoleState, event: HoleEvent) -> tuple[HoleState | None, tuple[Action, ...]]:
    """Return the next state (None: the page left the table) and the actions of a pair.

    Raises:
        IllegalTransitionError: the pair is in ILLEGAL.
    """
    row = TABLE.get((state, event))
    if row is None:
        raise IllegalTransitionError(f"{event.name} on a page that is {state.name}")
    return row
