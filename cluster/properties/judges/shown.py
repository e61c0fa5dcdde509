"""What a core shows after a delivery: entries that are gone, roots loaded, stores executed."""

from collections.abc import Iterable

from actors.machine import Effect, Send
from actors.message import Message
from actors.messages import (
    CatchUp,
    CaughtUp,
    Flush,
    Ipi,
    PageFault,
    Shoot,
    Sleep,
    Switched,
    Tlbi,
    Translation,
)
from cluster.properties.clock import At, Clock
from cluster.properties.judges.due import report
from cluster.properties.known.known import CELLS, ROOTS, TRANSLATIONS, UNDER_WAY, Known
from cluster.properties.observed import Observed
from kernel.units import ASID_SHIFT, CELL_SHIFT

#: messages after which a core may show that entries, or a walk, are gone: a look at their pages
_NAMING = (Ipi, Tlbi, Flush, Shoot, CatchUp, Switched, PageFault)
_NAMES = frozenset(_NAMING)


def changes(known: Known, observed: Observed, core: int, message: Message) -> int:
    """Return a mask of the parts that what a core shows will change."""
    found = 0
    kind = message.__class__
    if kind in _NAMES:
        found = TRANSLATIONS | UNDER_WAY
    elif kind is Sleep:
        found = UNDER_WAY
    elif kind is Translation:
        found = TRANSLATIONS | UNDER_WAY
    if core in known.translations.pending:
        found |= TRANSLATIONS | UNDER_WAY
    if observed.root(core) != known.roots.now(core):
        found |= ROOTS | TRANSLATIONS
    buffer = observed.store_buffer(core)
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
    observed, translations = known.observed, known.translations
    at = clock.latest(core)
    kind = message.__class__
    if kind is Translation:
        _answered(known, core, src, message, at, sent)  # type: ignore[arg-type]
    elif kind in _NAMES:
        _look_at(known, core, _named(known, core, message), at)
        if kind is PageFault:
            known.under_way.ends(message.op)
    elif kind is Sleep:
        known.under_way.kills(message.op, at)
    if core in translations.pending:
        _look_at(known, core, list(translations.pending[core]), at)
    root = observed.root(core)
    if root != known.roots.now(core):
        known.roots.loaded(at, root)
        report(known, translations.called_in(core, root, None))
    if kind is Switched or (kind is CatchUp and _has_caught_up(effects)):
        report(known, translations.called_in(core, root, sent))
    buffer = observed.store_buffer(core)
    if buffer and known.cells.is_new(core, buffer[-1]):
        _executed(known, core, clock)


def _has_caught_up(effects: list[Effect]) -> bool:
    """Say whether a core took the occasion; it may leave it to a later one."""
    return any(isinstance(e, Send) and isinstance(e.message, CaughtUp) for e in effects)


def _answered(known: Known, core: int, vm: int, m: Translation, at: At, sent: Clock) -> None:
    va = known.given.process_of[m.op] << ASID_SHIFT | m.vpn
    if known.observed.entry(core, va) == m.pte:
        known.translations.loaded(core, va, sent.latest(vm), at)
    else:
        known.translations.not_loaded(core, va, sent.latest(vm), at)
    known.under_way.ends(m.op)


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
    observed, under_way = known.observed, known.under_way
    known.translations.shown(core, pages, observed, at)
    if under_way.walks:
        thread = observed.thread(core)
        va = under_way.walks.get(thread)
        if va is not None and not observed.walks(core, va):
            under_way.kills(thread, at)


def _executed(known: Known, core: int, clock: Clock) -> None:
    """Note the stores that have come into the store buffer, oldest first."""
    cells, used = known.cells, known.translations.used
    found = []
    for entry in reversed(known.observed.store_buffer(core)):
        if entry.items:
            if not cells.is_new(core, entry):
                break
            found.append(entry)
    for entry in reversed(found):
        base = entry.asid << ASID_SHIFT
        pages = dict.fromkeys(cell >> CELL_SHIFT for cell, _, _ in entry.items)
        by = tuple([(vpn, used(core, base | vpn)) for vpn in pages])
        cells.execute(core, entry.items[0][2], clock, by)
