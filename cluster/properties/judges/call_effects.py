"""What system calls mean for contents: mappings, forks, discards, ZEROs, holes."""

from actors.messages import Call
from actors.operation import OpKind
from cluster.properties.clock import At, Clock
from cluster.properties.judges import due, holes, locks, map_effects, right_effects, windows
from cluster.properties.known.calls import Forking, InFlight, Span
from cluster.properties.known.history import Zeroed
from cluster.properties.known.known import Known
from cluster.properties.outcomes import Outcome, outcome
from kernel.policy.keys import ForkHole
from kernel.policy.promises import Property
from kernel.units import VPN_LIMIT, page_span

# A call arrives.


def called(known: Known, m: Call, at: At, sent: Clock) -> None:
    """Note that a call arrived at its vm, in event `at`."""
    spans: tuple[Span, ...] = ()
    locks.called(known, m)
    right_effects.called(known, m, at)
    map_effects.called(known, m, at)
    if m.kind == OpKind.FORK:
        _fork(known, m, at, sent)
    elif m.kind == OpKind.REUSE:
        for shown, low, high in known.places.pieces(m.asid, *page_span(m.va, m.length)):
            history = known.histories.of[shown.line(m.asid)]
            history.reopens(shown.page(low), shown.page(high), at)
    elif m.kind in known.given.discards:
        spans = windows.opens(known, m, *page_span(m.va, m.length), at)
        during = known.calls.during
        for lane, changes in known.places.changes.items():
            if changes[0].asid == m.asid:
                during[lane] = (*during[lane], (m, at))
    known.calls.in_flight[m.op] = InFlight(m, sent, spans, at)


def _fork(known: Known, m: Call, at: At, sent: Clock) -> None:
    """Note a fork: the child has its parent's map, contents and windows, as they are now."""
    child = known.given.process_of[m.args[0]]
    parent, calls = m.asid, known.calls
    apart = known.places.fork(m.op, parent, child)
    known.cells.fork(parent, child)
    right_effects.fork(known, parent, child, apart, at)
    for flight in calls.in_flight.values():
        if flight.call.kind == OpKind.MINHERIT and flight.call.asid == parent:
            known.places.doubt(child, *page_span(flight.call.va, flight.call.length))
            right_effects.unsure(known, child, flight.call, at)
    lines, histories = known.lines.of, known.histories.of
    if known.given.policy.fork_hole is ForkHole.ZERO_FIRST:
        for shown, low, high in known.places.pieces(parent, 0, VPN_LIMIT):
            if not shown.shared:
                histories[parent].reopens(shown.page(low), shown.page(high), at)
    lines[child] = lines[parent].fork(child, sent)
    histories[child] = histories[parent].copy()
    for lane, flight in calls.in_flight.items():
        copied = (Span(child, s.low, s.high, aside=True) for s in flight.spans if s.line == parent)
        calls.in_flight[lane] = flight.with_spans((*flight.spans, *copied))
    calls.forks[m.op] = Forking(parent, child, sent)


# It returns.


def returned(known: Known, vm: int, lane: int, error: int, clock: Clock) -> None:
    """Note that the vm has answered a call."""
    flight = known.calls.in_flight.pop(lane, None)
    if flight is None:
        return  # of a page daemon
    m, at = flight.call, clock.latest(vm)
    vetoed = locks.are_pins(known)
    done = outcome(known.given.policy.errors, m.kind, error, vetoed=vetoed)
    right_effects.returned(known, flight, done, at)
    map_effects.returned(known, flight, done, at)
    locks.returned(known, flight, done)
    if m.kind == OpKind.FORK:
        _forked(known, m, clock, at)
    elif m.kind == OpKind.REUSE and done is Outcome.DONE:
        for shown, low, high in known.places.pieces(m.asid, *page_span(m.va, m.length)):
            history = known.histories.of[shown.line(m.asid)]
            history.reopened(shown.page(low), shown.page(high), lane, at)
    for span in flight.spans:
        _discarded(known, flight, span, done, at)
    if m.kind == OpKind.HOLE and known.given.closed:
        holes.none_is_mapped(known, vm, m)
    if done is Outcome.DONE:
        due.returns(known, vm, flight, at, clock)


def _discarded(known: Known, flight: InFlight, span: Span, done: Outcome, at: At) -> None:
    """Note what a call that may discard has done to the pages of a line."""
    m = flight.call
    history, pages = known.histories.of[span.line], (span.low, span.high)
    if done is Outcome.NOTHING:
        history.voided(*pages, flight.at, Property.UNCHANGED)
    history.ended(*pages, m.op, at)
    if done is not Outcome.DONE:
        return
    sure = locks.without_vetoed(known, span) if span.sure else []
    if m.kind == OpKind.HOLE:
        for part in sure:
            history.settled(part, m.op, flight.at, at, closed=known.given.closed)
        return
    if m.kind == OpKind.ZERO and not span.aside:
        history.reopened(*pages, m.op, at)
    for low, high in sure:
        zero = Zeroed(m.op, flight.called, flight.at, at, m.kind == OpKind.ZERO)
        history.zeroed(low, high, zero)


def _forked(known: Known, m: Call, clock: Clock, at: At) -> None:
    """Note that a fork is complete: what the parent stores from now on does not reach the child."""
    fork = known.calls.forks.pop(m.op)
    known.lines.of[fork.child].is_forked(clock)
    if known.given.policy.fork_hole in (ForkHole.ZERO_FIRST, ForkHole.CHILD_ZERO):
        there = [fork.child]
        if known.given.policy.fork_hole is ForkHole.ZERO_FIRST:
            there.append(fork.parent)
        for asid in there:
            for shown, low, high in known.places.pieces(asid, 0, VPN_LIMIT):
                if not shown.shared:
                    history = known.histories.of[asid]
                    history.reopened(shown.page(low), shown.page(high), m.op, at)
