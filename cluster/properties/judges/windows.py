"""Windows in which a call may discard contents."""

import msgspec

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At
from cluster.properties.judges import locks
from cluster.properties.known.calls import Span
from cluster.properties.known.history import Discard
from cluster.properties.known.known import Known
from cluster.properties.known.shown import NO_FILE, SHARED
from kernel.policy.promises import Property

_HOLES = frozenset({OpKind.HOLE, OpKind.ZERO})
_SURE = frozenset({OpKind.HOLE, OpKind.ZERO, OpKind.ADVISE_DONTNEED, OpKind.ADVISE_REMOVE})


def opens(known: Known, m: Call, start: int, end: int, at: At) -> tuple[Span, ...]:
    """Open a window in which contents may be lost, also in children that are being forked off."""
    children = known.calls.children(m.asid)
    found = []
    for shown, low, high, certain in known.places.maybe(m.asid, start, end):
        if (m.kind == OpKind.ADVISE_REMOVE and not shown.shared) or (
            m.kind == OpKind.GUARD_INSTALL and shown.shared
        ):
            continue
        kept = m.kind == OpKind.ADVISE_DONTNEED and (shown.shared or shown.file != NO_FILE)
        pages = shown.page(low), shown.page(high)
        for number in [SHARED] if shown.shared else [m.asid, *children]:
            aside = number in children
            sure = m.kind in _SURE and certain and not kept and not aside
            found += locks.split(known, Span(number, *pages, sure, aside))
    window = Discard(m.op, at, None, m.kind in _HOLES, m.kind == OpKind.ZERO)
    for span in found:
        history = known.histories.of[span.line]
        if span.aside:
            history.doubted(span.low, span.high)
            one = msgspec.structs.replace(window, zero=False)
        else:
            one = window
        history.called(span.low, span.high, one, closed=known.given.closed)
    for number, low, high in locks.spared(known, m, start, end):
        known.histories.of[number].voided(low, high, at, Property.LOCKED)
    return tuple(found)
