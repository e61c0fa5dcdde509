"""What a core shows after a delivery: entries that are gone, roots loaded, stores executed."""

from collections import deque
from collections.abc import Iterable

from actors.core.values import Buffered
from actors.machine import Effect, Send
from actors.message import Message
from actors.messages import (
    CatchUp,
    CaughtUp,
    Flush,
    Ipi,
    PageFault,
    Resolved,
    Shoot,
    Signal,
    Sleep,
    Switched,
    Tlbi,
    Translation,
)
from cluster.properties.clock import At, Clock
from cluster.properties.judges.due import report
from cluster.properties.known.cells import By
from cluster.properties.known.known import CELLS, ROOTS, TRANSLATIONS, UNDER_WAY, Known
from cluster.properties.observed import Observed
from kernel.units import ASID_SHIFT, CELL_SHIFT

#: messages after which a core may show that entries, or a walk, are gone: a look at their pages
_NAMING = (Ipi, Tlbi, Flush, Shoot, CatchUp, Switched, PageFault)
_NAMES = frozenset(_NAMING)
#: what a thread that has asked its vm for something is told in the end
_ANSWERS = frozenset({Translation, PageFault, Resolved, Signal})
_LOOKED_AT = _NAMES | _ANSWERS | {Sleep}


def changes(known: Known, observed: Observed, core: int, message: Message) -> int:
    """Return a mask of the parts that what a core shows will change."""
    found = 0
    kind = message.__class__
    translations, under_way = known.translations, known.under_way
    if kind in _NAMES:
        entries = core in translations.fills or core in translations.debts.of
        found = TRANSLATIONS if entries else 0
        if observed.dead_walk(core) not in (-1, *under_way.dead):
            found |= UNDER_WAY
    elif kind is Translation:
        found = TRANSLATIONS
    if kind in _ANSWERS:
        if message.op in under_way.dead or message.op in under_way.faults:
            found |= UNDER_WAY
    elif kind is Sleep and observed.sleeps_in_walk(core, message.op):
        found = UNDER_WAY
    if core in translations.pending:
        found |= TRANSLATIONS | UNDER_WAY
    root, buffer = observed.root_and_stores(core)
    if root != known.roots.now[core]:
        found |= ROOTS | TRANSLATIONS
    if buffer and known.cells.is_new(core, buffer[-1]):
        found |= CELLS
    return found


def look(
    known: Known,
    core: int,
    src: int,
    message: Message,
    effects: list[Effect],
    clock: Clock,
    sent: Clock,
) -> None:
    """Take in what a core shows after a delivery of this message."""
    kind = message.__class__
    if kind in _LOOKED_AT:
        _look_for(known, core, src, message, clock, sent)
    translations = known.translations
    if translations.pending and core in translations.pending:
        _look_at(known, core, list(translations.pending[core]), clock.latest(core))
    root, buffer = known.observed.root_and_stores(core)
    if root != known.roots.now[core]:
        known.roots.loaded(clock.latest(core), root)
        report(known, translations.called_in(core, root, None))
    if kind is Switched or (kind is CatchUp and _has_caught_up(effects)):
        report(known, translations.called_in(core, root, sent))
    if buffer and known.cells.is_new(core, buffer[-1]):
        _executed(known, core, buffer, clock)


def _look_for(
    known: Known, core: int, src: int, message: Message, clock: Clock, sent: Clock
) -> None:
    """Look for what a message says is there, or is gone."""
    kind = message.__class__
    if kind is Translation:
        va = known.given.process_of[message.op] << ASID_SHIFT | message.vpn  # type: ignore[attr-defined]
        loaded = known.observed.entry(core, va) == message.pte  # type: ignore[attr-defined]
        known.translations.answered(core, va, sent.number(src), clock, loaded=loaded)
    elif kind is Sleep:
        if known.observed.sleeps_in_walk(core, message.op):
            known.under_way.sleeps(message.op, core)
    elif kind in _NAMES:
        _look_at(known, core, _named(known, core, message), clock.latest(core))
    under_way = known.under_way
    if kind in _ANSWERS and (under_way.dead or under_way.faults):
        under_way.answered(message.op)


def _has_caught_up(effects: list[Effect]) -> bool:
    """Say whether a core took the occasion; it may leave it to a later one."""
    return any(isinstance(e, Send) and isinstance(e.message, CaughtUp) for e in effects)


def _named(known: Known, core: int, message: Message) -> Iterable[int]:
    """Return the pages that a message names: all that the core has fills of, if it names none."""
    if isinstance(message, PageFault):
        return (known.given.process_of[message.op] << ASID_SHIFT | message.vpn,)
    assert isinstance(message, _NAMING)
    asid = message.asid  # type: ignore[union-attr]
    vpns: tuple[int, ...] = message.vpns  # type: ignore[union-attr]
    if isinstance(message, Switched) and message.keep and not vpns:
        return ()
    if vpns:
        base = asid << ASID_SHIFT
        return [base | vpn for vpn in vpns]
    return known.translations.of_space(core, asid)


def _look_at(known: Known, core: int, pages: Iterable[int], at: At) -> None:
    known.translations.shown(core, pages, known.observed, at)
    thread = known.observed.dead_walk(core)
    if thread >= 0:
        known.under_way.kills(thread, at)


def _executed(known: Known, core: int, buffer: "deque[Buffered]", clock: Clock) -> None:
    """Note the stores that have come into the store buffer, oldest first."""
    is_new = known.cells.is_new
    if len(buffer) == 1 or not is_new(core, buffer[-2]):
        _one_executed(known, core, buffer[-1], clock)
        return
    found = []
    for entry in reversed(buffer):
        if entry.items:
            if not is_new(core, entry):
                break
            found.append(entry)
    for entry in reversed(found):
        _one_executed(known, core, entry, clock)


def _one_executed(known: Known, core: int, entry: Buffered, clock: Clock) -> None:
    items, used = entry.items, known.translations.used
    base, vpn = entry.asid << ASID_SHIFT, items[0][0] >> CELL_SHIFT
    by: By = ((vpn, used(core, base | vpn)),)
    if items[-1][0] >> CELL_SHIFT != vpn:
        pages = dict.fromkeys([cell >> CELL_SHIFT for cell, _, _ in items])
        by = tuple([(vpn, used(core, base | vpn)) for vpn in pages])
    known.cells.execute(core, items[0][2], clock, by)
