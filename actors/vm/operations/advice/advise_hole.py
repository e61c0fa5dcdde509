"""madvise(MADV_FREE_HOLE): the range becomes a hole.

    lock; mark the range; page by page: leave the resident set, take access away; shoot down, or
    leave that to the other cores; flushed: hand the pages to the zeroing thread; unlock

Pages stay busy from their first step until the invalidation is complete, so that a fault, a ZERO or
a second HOLE of the same page waits for it (rule H-2: "nothing to do" must still wait).
"""

from actors.facts import HoleSettled, PinMet, ZeroCase
from actors.machine import Effect, Note
from actors.message import PageKey
from actors.vm.op import Op, P, advance, replace
from actors.vm.operations.flushes import deferral, shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import advice_scope, range_claim, range_errors, range_scan
from actors.vm.operations.ranges.advice_scope import advised
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import Held, Hole, Zero
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import DIRTY, KNOWN_ZERO, LAZY_FREE, Page
from kernel.page_queue import Queue
from kernel.policy.keys import AdviceKind, HoleAccess, HoleRecord, NoAccess, TrackClean
from kernel.vmspace import VmSpace

#: states in which a page is busy only for a ZERO that has taken it: HOLE has nothing to do
_TAKEN = frozenset({HoleState.QUEUED, HoleState.ZEROED})
_LIVE, _FLUSHING = HoleState.LIVE, HoleState.FLUSHING


class Taken(Found[Hole | Zero]):
    """Pages taken into the hole."""

    __slots__ = ("pages",)

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self.pages: list[Held] = []

    def added_to(self, own: Hole | Zero) -> Hole | Zero:
        """Return the payload with them."""
        return replace(own, pages=(*own.pages, *self.pages)) if self.pages else own


def clips(vm: VmState) -> bool:
    """Say whether HOLE and ZERO change entries of the map."""
    return vm.settings.policy.hole_state is HoleRecord.MAP_ENTRY


def mark_range(vm: VmState, space: VmSpace, op: Op[P], _out: list[Effect]) -> Op[P]:
    """Phase: note the hole where the policy keeps it, in the map or beside it."""
    if vm.settings.policy.hole_state is HoleRecord.PAGE_FLAG:
        return advance(op)
    vm.holes.mark(space, op.start, op.end, hole=True)
    return advance(op, vm.settings.costs.map_ns)


def make_hole(scene: Scene[Taken], key: PageKey, page: Page, *, closed: bool = True) -> bool:
    """Take one page into the hole; it stays busy until its flush is complete.

    closed: take access away.
    """
    vm, op, found = scene.vm, scene.op, scene.found
    if page.busy == op.lane:
        return False  # it is at a lower address of the range as well
    if vm.objects.is_wired(key, page) and not vm.settings.hazards & Hazard.HOLE_IGNORES_PINS:
        if page.pins:
            scene.out.append(Note(PinMet(op.lane, "hole")))
        if page.hole is _LIVE:
            vm.holes.mark(scene.space, scene.vpn, scene.vpn + 1, hole=False)
        return False
    if vm.holes.must_wait(page, HoleEvent.HOLE) and page.hole not in _TAKEN:
        return True
    after, _ = vm.holes.event(key, HoleEvent.HOLE, op)
    if after is None or after.hole is not _FLUSHING:
        return False
    known = vm.holes.known_zero(page)
    no_access = vm.settings.policy.no_access
    costs = vm.settings.costs
    found.ns += costs.flag_page_ns
    if closed and no_access is not NoAccess.NONE:
        scene.take_entries(page, keep=no_access is NoAccess.KEEP_PTE)
    if closed and _forgets_use(vm):
        scene.forget_use(page)
    # what was stored before HOLE no longer matters, and no copy of it may come back
    if not range_scan.keeps_copies(vm, op):
        vm.pages.drop_slot(key)
    after = vm.objects.by_oid[key[0]].pages[key[1]]
    after = after.with_flags(off=DIRTY | LAZY_FREE | (0 if known else KNOWN_ZERO))
    vm.pages.put(key, after.with_busy(op.lane))
    found.pages.append((key, scene.vpn))
    return False


def _forgets_use(vm: VmState) -> bool:
    """Say whether HOLE clears dirty bits, to know what is stored from now on; XNU does."""
    policy = vm.settings.policy
    return policy.track_clean is TrackClean.ON or policy.advice is AdviceKind.REUSABLE_REUSE


def take_pages(vm: VmState, space: VmSpace, op: Op[Hole], out: list[Effect]) -> Op[Hole]:
    """Phase: every resident page of the range."""
    scene = Scene(vm, space, op, out, Taken())
    return range_scan.scan(scene, make_hole, lambda e: advised(vm, e))


def _offers_late(vm: VmState, _space: VmSpace, _op: Op[Hole]) -> bool:
    return not vm.settings.hazards & Hazard.ZEROER_BEFORE_FLUSH


def early_offer(vm: VmState, space: VmSpace, op: Op[Hole], out: list[Effect]) -> Op[Hole]:
    """Phase: with the hazard, the zeroing thread gets the pages before the flush."""
    if not _offers_late(vm, space, op):
        op = settle_pages(vm, op, out)
    return advance(op)


def settle_pages(vm: VmState, op: Op[Hole], out: list[Effect]) -> Op[Hole]:
    """Report the flush of the operation's pages to the table, unbusy and offer them."""
    keys, hinted = [], []
    left = deferral.left_to_others(vm, op)
    for key, vpn in op.own.pages:
        page = vm.pages.get(key)
        if page is None or page.hole is not _FLUSHING or page.busy != op.lane:
            continue  # a ZERO that does not wait has taken it over meanwhile
        if left:
            after, actions = vm.holes.event(key, HoleEvent.DEFER, op)
            assert after is not None
            vm.holes.deferred[key] = (op.own.deferral, op.asid, vpn)
            vm.waiting.unbusy(key, after, out)
            if Action.HINT in actions:
                hinted.append(key)
            continue
        after, actions = vm.holes.event(key, HoleEvent.FLUSHED, op)
        assert after is not None
        if vm.holes.known_zero(after):
            after, _ = vm.holes.event(key, HoleEvent.KNOWN, op)
            assert after is not None
            out.append(Note(ZeroCase(op.lane, "clean", 1)))
        vm.waiting.unbusy(key, after, out)
        keys.append(key)
        if Action.HINT in actions:
            hinted.append(key)
    vm.pages.hint(hinted, Queue.HOLES)
    vm.zeroing.offer(op, keys, out)
    return replace(op, own=replace(op.own, pages=()))


def flushed(vm: VmState, space: VmSpace, op: Op[Hole], out: list[Effect]) -> Op[Hole]:
    """Phase: the invalidation is complete, or left to other cores."""
    left = deferral.left_to_others(vm, op)
    op = settle_pages(vm, op, out)
    if left:
        return advance(op)
    fatal = vm.settings.policy.hole_access is HoleAccess.FATAL
    settled = vm.holes.within(space, op.start, op.end) if fatal else [(op.start, op.end)]
    settled = deferral.without_deferred(vm, op.asid, settled)
    out.extend(Note(HoleSettled(op.lane, op.asid, start, end)) for start, end in settled)
    return advance(op)


PHASES: tuple[Phase, ...] = (
    discard.lock(clips, advice_scope.punched),
    range_errors.CHECK,
    range_claim.CLAIM_RANGE,
    advice_scope.REFUSE,
    *discard.PUNCH_PHASES,
    Phase(mark_range),
    Phase(take_pages, idle=range_scan.nothing_resident),
    Phase(early_offer, idle=_offers_late),
    shootdown.JOIN_FLUSHES,
    *deferral.HOLE_PHASES,
    Phase(flushed),
    Phase(range_claim.unlock),
    object_chain.SETTLE,
)
