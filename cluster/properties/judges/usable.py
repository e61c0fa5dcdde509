"""USABLE: what a ZERO, an mmap or an mprotect that succeeded gave, an access can use."""

from actors.messages import Signal
from cluster.properties.clock import At
from cluster.properties.known.history import PageHistory
from cluster.properties.known.known import Known
from cluster.properties.known.timelines import READ, WRITE
from kernel.errors import SegvCode
from kernel.policy.keys import HoleAccess
from kernel.policy.promises import Property

#: the file has no page there; the process was killed
_OTHER = frozenset({SegvCode.OBJECT, SegvCode.KILLED})


def signalled(known: Known, m: Signal, at: At) -> None:
    """Judge that a vm refuses an access, in its event `at`.

    It decides by what holds at some moment since the fault arrived; calls in flight then may be in
    effect or not.
    """
    if m.code in _OTHER:
        return
    asid = known.given.process_of[m.op]
    since, write = at.number, True
    if m.op in known.under_way.faults:
        arrived, vm, write = known.under_way.faults[m.op]
        since = arrived.number(vm)
    vpn, until = m.vpn, at.number
    if asid in known.rights.ended or not known.rights.allows(
        asid, vpn, WRITE if write else READ, since, until
    ):
        return
    found = known.places.pieces(asid, vpn, vpn + 1)
    if not found or known.places.is_changing(asid, vpn, vpn + 1):
        return
    shown, _, _ = found[0]
    history = known.histories.of[shown.line(asid)].at(shown.page(vpn))
    fatal = known.given.policy.hole_access is HoleAccess.FATAL
    if shown.since.number > since or (fatal and _is_hole(history, since)):
        return
    text = f"an access to page {vpn:#x} got SIGSEGV, and the call that gave the page had succeeded"
    known.reports.add(Property.USABLE, text, asid, vpn, (m.op,))


def _is_hole(history: PageHistory, since: int) -> bool:
    """Say whether a page may have been in a hole at some moment since an event of the vm."""
    return any(
        d.void is not Property.UNCHANGED
        and (d.hole or (d.zero and (d.end is None or d.end.number >= since)))
        for d in history.discards
    )
