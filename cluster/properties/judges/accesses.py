"""Stores and loads where memory performs them, of cores and devices: FATAL, and what loads gave.

Of TRANSLATION and ISOLATE: whether an access may touch the frame that it touches. ACCESS: whether
the process may make it at all.
"""

from actors.messages import DmaLoad, DmaStore, Load, Store
from cluster.properties.clock import At, Clock
from cluster.properties.judges import ended
from cluster.properties.judges.loaded import Access, judge
from cluster.properties.known.cells import By, granule_of
from cluster.properties.known.history import PageHistory
from cluster.properties.known.known import Known
from cluster.properties.known.lines import Keeps, Stored
from cluster.properties.known.shown import Shown
from cluster.properties.known.timelines import READ, WRITE
from cluster.properties.known.transfers import Pinned
from kernel.policy.promises import Property
from kernel.units import ASID_SHIFT, CELL_MASK, CELL_SHIFT


def store(known: Known, core: int, m: Store, at: At, clock: Clock) -> None:
    """Perform a stretch of stores of a core, in memory's event `at`."""
    cells, asid, page = known.cells, m.asid, -1
    origin, may_access = cells.origin, known.frames.may_access
    issued, by = cells.perform(core, m.items[0][2])
    if known.rights.ended:
        ended.acts(known, asid, m.op, issued, "stored")
    for cell, pfn, version in m.items:
        vpn = cell >> CELL_SHIFT
        if not may_access(core, asid << ASID_SHIFT | vpn, pfn):
            _bad_frame(known, m, vpn, pfn)
        if vpn != page:
            page = vpn
            used = _used(by, vpn)
            _allowed(known, m, vpn, issued, write=True)
            shown = known.places.at(asid, vpn, issued, cells.uncertain, write=True)
            if shown is not None:
                number, key_of_page = shown.line(asid), shown.page(vpn)
                line, base = known.lines.of[number], key_of_page << CELL_SHIFT
                history = known.histories.of[number].at(key_of_page)
                keeps = keeping(known, history, issued, used)
                if history.holes:
                    _fatal(known, m, vpn, history, issued, used, clock)
        if shown is None:
            origin[granule_of(pfn, cell)] = asid, cell
            continue
        key = base | cell & CELL_MASK
        origin[granule_of(pfn, cell)] = number, key
        stored = Stored(version, issued, at, used)
        line.put(key, stored, keeps)
        if known.calls.forks and number == asid:
            _inherit(known, asid, key, stored)


def load(
    known: Known,
    core: int,
    m: Load,
    stamps: tuple[int, ...],
    issued: Clock,
    performed: tuple[At, Clock],
) -> None:
    """Perform a stretch of loads of a core, which gave stamps.

    performed: memory's event, and its clock.
    """
    asid, page = m.asid, -1
    at, clock = performed
    may_access = known.frames.may_access
    if known.rights.ended:
        ended.acts(known, asid, m.op, issued, "loaded")
    for (cell, pfn), value in zip(m.items, stamps, strict=True):
        vpn = cell >> CELL_SHIFT
        if not may_access(core, asid << ASID_SHIFT | vpn, pfn):
            _bad_frame(known, m, vpn, pfn)
            continue
        if vpn != page:
            page = vpn
            _allowed(known, m, vpn, issued, write=False)
            shown = known.places.at(asid, vpn, issued, known.cells.uncertain, write=False)
            if shown is not None:
                number, key_of_page = shown.line(asid), shown.page(vpn)
                line, base = known.lines.of[number], key_of_page << CELL_SHIFT
                history = known.histories.of[number].at(key_of_page)
                if history.holes:
                    _fatal(known, m, vpn, history, issued, _loaded(known, core, asid, vpn), clock)
        if shown is not None:
            access = Access(
                m.op, asid, vpn, shown, history, line, number, base | cell & CELL_MASK,
                granule_of(pfn, cell), value, issued, at, clock,
            )  # fmt: skip
            judge(known, access)


def _loaded(known: Known, core: int, asid: int, vpn: int) -> At | None:
    """Return what sent the entry that a load goes by: its core waits for what memory gives."""
    return known.translations.used(core, asid << ASID_SHIFT | vpn)


def _used(by: By, vpn: int) -> At | None:
    for page, used in by:
        if page == vpn:
            return used
    return None


def keeping(known: Known, history: PageHistory, issued: Clock, used: At | None) -> Keeps | None:
    """Return what says whether an earlier store may be seen after one that was issued then.

    It may if a discard is not over for the later store, which may have gone to a frame that the
    page has left, and the earlier one knows of the discard: so it may have gone to the new frame.
    """
    if known.given.forks:
        return _always
    discards = history.discards  # mostly none
    open_ones = [d for d in discards if d.undoes(issued, used)] if discards else None
    if not open_ones:
        return None
    return lambda before: any(before.issued.knows(d.call) for d in open_ones)


def _always(_before: Stored) -> bool:
    return True


def _allowed(known: Known, m: Load | Store, vpn: int, issued: Clock, *, write: bool) -> None:
    """Report an access that a call which has returned took away."""
    asid = m.asid
    heard = issued.number(known.given.vm_of[asid])
    if known.rights.allows(asid, vpn, WRITE if write else READ, heard, heard) is False:
        what = "store to" if write else "load from"
        text = f"a {what} page {vpn:#x} succeeded after a call that forbids it had returned"
        known.reports.add(Property.ACCESS, text, asid, vpn, (m.op,))


def _bad_frame(known: Known, m: Load | Store, vpn: int, pfn: int) -> None:
    """Report an access to a frame that its core has no good translation to."""
    is_load = isinstance(m, Load)
    what = f"{'loaded from' if is_load else 'stored to'} as page {vpn:#x} of p{m.asid}"
    text = f"frame {pfn:#x} was {what}, but it {known.frames.what_is(pfn)}"
    broken = Property.TRANSLATION if is_load else Property.ISOLATE
    known.reports.add(broken, text, m.asid, vpn, (m.op,))


def _fatal(
    known: Known,
    m: Load | Store,
    vpn: int,
    history: PageHistory,
    issued: Clock,
    used: At | None,
    clock: Clock,
) -> None:
    """Judge an access by the holes that the page was in; used: what sent the entry it goes by.

    In a closed hole an entry that was sent in it is one too many; older ones have their deadline.
    """
    for hole in history.holes:
        if hole.closed:
            broken = used is not None and hole.is_open_at(used.number)
        else:
            knows_end = hole.reopened is not None and clock.knows(hole.reopened)
            broken = issued.knows(hole.settled) and not knows_end
        if broken:
            text = f"an access to page {vpn:#x} of a settled hole got data instead of SIGSEGV"
            known.reports.add(Property.FATAL, text, m.asid, vpn, (m.op,))


def _inherit(known: Known, asid: int, key: int, stored: Stored) -> None:
    """Note that a process that is being forked off may have a store to private memory."""
    for fork in known.calls.forks.values():
        if fork.parent == asid:
            maybe = known.lines.of[fork.child].maybe
            maybe[key] = (stored, *maybe.get(key, ()))


# Devices.


def device_stores(known: Known, m: DmaStore, at: At) -> None:
    """Perform stores of a device: by frame number, for the process whose page was pinned."""
    for granule, pfn, version in m.items:
        page = _pinned(known, m, pfn, "stored to")
        if page is None:
            continue
        asid, vpn, issued = page.asid, page.vpn, page.at
        place = pfn << CELL_SHIFT | granule
        shown = _shown_to(known, page)
        if shown is None:
            known.cells.origin[place] = asid, vpn << CELL_SHIFT | granule
            continue
        number, key = shown.line(asid), shown.page(vpn) << CELL_SHIFT | granule
        history = known.histories.of[number].at(shown.page(vpn))
        known.cells.origin[place] = number, key
        stored = Stored(version, issued, at, page.since)
        known.lines.of[number].put(key, stored, keeping(known, history, issued, page.since))
        if known.calls.forks and number == asid:
            _inherit(known, asid, key, stored)
    known.transfers.performed(m.name, len(m.items), at)


def device_loads(known: Known, m: DmaLoad, stamps: tuple[int, ...], at: At, clock: Clock) -> None:
    """Perform loads of a device: they see what the page had that was pinned, and later stores.

    What may have been discarded since is not judged: the device goes on with the old frame.
    """
    for (granule, pfn), value in zip(m.items, stamps, strict=True):
        page = _pinned(known, m, pfn, "loaded from")
        if page is None:
            continue
        asid, vpn, issued = page.asid, page.vpn, page.at
        shown = _shown_to(known, page)
        if shown is None:
            continue
        number, key = shown.line(asid), shown.page(vpn) << CELL_SHIFT | granule
        history = known.histories.of[number].at(shown.page(vpn))
        if not any(d.undoes(issued, page.since) for d in history.discards):
            access = Access(
                m.op, asid, vpn, shown, history, known.lines.of[number], number, key,
                pfn << CELL_SHIFT | granule, value, issued, at, clock,
            )  # fmt: skip
            judge(known, access)
    known.transfers.performed(m.name, len(m.items), at)


def _shown_to(known: Known, page: Pinned) -> Shown | None:
    """Return what a device sees as a page that was pinned, or None if that is not certain."""
    shown = page.shown
    if shown is None:
        return None
    doubted = known.cells.uncertain.get(page.asid << ASID_SHIFT | page.vpn)
    return None if doubted == shown.called else shown


def _pinned(known: Known, m: DmaStore | DmaLoad, pfn: int, what: str) -> Pinned | None:
    """Return what a frame was pinned as; None, and a report, if it is not that any more."""
    page = known.transfers.page(m.name, pfn)
    if page is None:
        text = f"frame {pfn:#x} was {what} by a device, but it {known.frames.what_is(pfn)}"
        known.reports.add(Property.ISOLATE, text, 0, -1, (m.op,))
    return page
