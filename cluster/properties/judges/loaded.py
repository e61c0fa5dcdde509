"""Properties of what loads return: ZERO, KEEP, ISOLATE, FORK. Judged where memory performs them.

Loads and stores of a granule are ordered by the memory that performs them; whether a system call
lies before or after them is decided by happens-before alone. A store is *issued* when its thread
executes it (it may wait in the store buffer) and *performed* when memory does it.
"""

import msgspec

from cluster.properties.clock import At, Clock
from cluster.properties.known.cells import Origin
from cluster.properties.known.history import PageHistory, Zeroed
from cluster.properties.known.known import Known
from cluster.properties.known.lines import INITIAL, Line, Stored
from cluster.properties.known.shown import MAPPING_SHIFT, NO_FILE, SHARED, Shown, page_text
from kernel.policy.promises import Property
from kernel.stamp import JUNK, ZERO, file_stamp, stamp_text
from kernel.units import CELL_MASK, CELL_SHIFT


class Access(msgspec.Struct, frozen=True, gc=False):
    """One load of a granule: by whom, where, what it gave, when it was issued and performed."""

    op: int
    asid: int
    vpn: int
    shown: Shown
    history: PageHistory
    line: Line
    #: line that the page belongs to, and the granule's key there
    number: int
    key: int
    #: of the frame: `pfn << CELL_SHIFT | granule`
    granule: int
    value: int
    issued: Clock
    #: memory's event that performed it, and its clock
    performed: At
    clock: Clock


def judge(known: Known, a: Access) -> None:
    """Judge what a load gave."""
    value, history = a.value, a.history
    if value == JUNK:
        _foreign(known, a, None)
        return

    def excused(stored: Stored) -> bool:
        return _undone(history, stored, a.clock) is None

    found = list(a.line.candidates(a.key, a.clock, excused))
    match = next((s for s in found if s is not None and s.stamp == value), None)
    if match is not None:
        _zero(known, a, history, match)
        if len(found) > 1 and a.key not in a.line.own:
            a.line.own[a.key] = match  # of several that a child may have, it has this one
    elif _is_initial(known, a, history):
        if None not in found:
            assert found[0] is not None
            broken = _undone(history, found[0], a.clock)
            _broken(known, broken or Property.KEEP, a, f"lost: {_instead(a, found[0])}")
        elif found[0] is not None:
            a.line.put(a.key, Stored(INITIAL, a.clock, a.performed), _always)
        if value != ZERO:
            _zero(known, a, history, None)
    else:
        _wrong(known, a, found)


def _always(_before: Stored) -> bool:
    return True


def _undone(history: PageHistory, stored: Stored, clock: Clock) -> Property | None:
    """Return the promise that is broken if a store is lost; None: a discard may have undone it.

    A discard that was called before the load, and is not over for the store.
    """
    broken: Property | None = Property.KEEP
    for d in history.discards:
        if clock.knows(d.call) and d.undoes(stored.issued, stored.used):
            if d.void is None:
                return None
            broken = d.void if broken is Property.KEEP else broken
    return broken


def _is_initial(known: Known, a: Access, history: PageHistory) -> bool:
    """Say whether a value is what was there before any store of the line."""
    file = a.shown.file
    if a.value == ZERO:
        return file == NO_FILE or _reads_as_zero(known, a, history)
    if file == NO_FILE:
        return False
    if a.value == file_stamp(file, a.vpn + a.shown.file_shift):
        return True
    of_file = a.shown.file_page(a.vpn) << CELL_SHIFT | a.key & CELL_MASK
    return known.cells.origin.get(a.granule) == (SHARED, of_file)


def _reads_as_zero(known: Known, a: Access, history: PageHistory) -> bool:
    """Say whether a page over a file may be zero: it was zeroed, or the file has a hole there.

    By a HOLE that put anonymous memory over the file, a ZERO, or MADV_REMOVE of any mapping of it.
    """
    if history.zeros or any(d.hole and d.void is None for d in history.discards):
        return True
    of_file = known.histories.of[SHARED].at(a.shown.file_page(a.vpn))
    return bool(of_file.zeros or of_file.discards)


def _wrong(known: Known, a: Access, found: list[Stored | None]) -> None:
    """Report a value that no store to the granule, as it is now, can have left."""
    origin = known.cells.origin.get(a.granule)
    if origin is not None and _is_uncertain(a, origin):
        return
    if origin is None or origin[1] != a.key or origin[0] not in a.line.ancestors:
        _foreign(known, a, origin)
    elif origin[0] != a.number:
        text = f"forked: {_instead(a, found[0])}, and fork has not given it that"
        _broken(known, Property.FORK, a, text)
    elif None in found:
        text = f"rewound: {_instead(a, found[0])}, whose loss would not bring that back"
        _broken(known, Property.FORK, a, text)
    else:
        broken = found[0] and _undone(a.history, found[0], a.clock)
        _broken(known, broken or Property.KEEP, a, f"rewound: {_instead(a, found[0])}")


def _is_uncertain(a: Access, origin: Origin) -> bool:
    """Say whether a store may have meant the page: its thread's map was being changed there."""
    line, key = origin
    return not key >> CELL_SHIFT + MAPPING_SHIFT and (
        a.number == SHARED or line in a.line.ancestors
    )


def _instead(a: Access, latest: Stored | None) -> str:
    was = "none" if latest is None else stamp_text(latest.stamp)
    return f"a load gave {stamp_text(a.value)}, the latest store was {was}"


#: what is said besides, by property
_WHY = {
    Property.KEEP: " and no call had released it since",
    Property.LOCKED: ", and the memory was locked",
    Property.UNCHANGED: ", and the call that was to release it had failed",
}


def _broken(known: Known, broken: Property, a: Access, text: str) -> None:
    text += _WHY.get(broken, "")
    known.reports.add(broken, f"page {a.vpn:#x} {text}", a.asid, a.vpn, (a.op,))


def _foreign(known: Known, a: Access, origin: Origin | None) -> None:
    whose = "memory at power-on"
    if origin is not None:
        line, key = origin
        whose = page_text(line, key >> CELL_SHIFT)
    text = f"a load of page {a.vpn:#x} gave {stamp_text(a.value)}, which was written to {whose}"
    known.reports.add(Property.ISOLATE, text, a.asid, a.vpn, (a.op,))


def _zero(known: Known, a: Access, history: PageHistory, stored: Stored | None) -> None:
    """Judge a value that is not zero by the calls that left zero; None: no store made it."""
    for zero in reversed(history.zeros):
        if not a.issued.knows(zero.returned):
            continue
        call = "ZERO" if zero.zero else "the discard"
        told = f"a load of page {a.vpn:#x} after {call} gave {stamp_text(a.value)}, "
        ops = (a.op, zero.op)
        if zero.zero and not _is_later(stored, zero):
            text = told + "stored through an entry from before ZERO was called"
            known.reports.add(Property.ZERO_STRONG, text, a.asid, a.vpn, ops)
        if stored is None or zero.called.knows(stored.performed):
            text = told + f"stored before {call} was called"
            known.reports.add(Property.ZERO_WEAK, text, a.asid, a.vpn, ops)


def _is_later(stored: Stored | None, zero: Zeroed) -> bool:
    """Say whether a store may survive a ZERO: it used a translation sent after ZERO arrived.

    Or it is a device's, whose transfer was asked for after that.
    """
    if stored is None:
        return False
    if stored.used is None:
        return stored.issued.knows(zero.arrived)
    return stored.used.number > zero.arrived.number
