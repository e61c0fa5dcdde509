"""madvise(MADV_FREE_ZERO): the range leaves the hole, and its contents are zero.

    as HOLE first (pages that are not in a hole yet); then page by page, by THE TABLE: zeroed ->
    skip; in the zeroing thread's hands -> steal or wait; else -> take for zeroing inline;
    ask the zeroing thread to cede; zero inline; grant; unlock

Every page that ZERO has looked at stays busy until the grant. The grant is the linearisation point.
Source: issue 1318, davidchisnall's step 4; nwf: ZERO without HOLE does the HOLE first.
"""

from actors.facts import Granted, ZeroCase
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Steal, ZeroFrames
from actors.operations import advise_hole, discard, object_chain, range_scan, shootdown
from actors.operations.operation import Op, OpState, advance, replace
from actors.operations.range_scan import Scene
from actors.settings import KERNEL_LANE
from actors.vm_state import Phase, VmState, idle_if
from kernel import pte as pte_bits
from kernel.hazards import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import Page
from kernel.policy import Grant, HoleRecord, NotStarted, Zeroing, zero_may_skip
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vm_map import HOLE
from kernel.vmspace import VmSpace

#: states in which the zeroing thread holds the page
_ZEROERS = frozenset({HoleState.ZEROING, HoleState.STEALING})


def hole_first(scene: Scene, key: PageKey, page: Page) -> bool:
    """Make a hole of a page that is not in one; leave the others to `claim`."""
    if page.hole is not HoleState.LIVE:
        return False
    return advise_hole.make_hole(scene, key, page)


def _none_live(vm: VmState, space: VmSpace, op: Op) -> bool:
    return not any(_is_out(vm, space, v) for v in vm.held_in(space, op.cursor, op.end))


@idle_if(_none_live)
def hole_live_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: ZERO without HOLE does the HOLE first, page by page."""
    return range_scan.scan(vm, space, op, out, hole_first)


@idle_if(lambda _vm, _space, op: not op.pages)
def own_flushed(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the pages that this ZERO itself took into the hole are flushed.

    They are unbusied: `claim` takes them again in ascending order, with the others. To keep them
    and wait for a page below would be a deadlock with another ZERO that holds that one.
    """
    claimed = []
    for key, vpn in op.pages:
        page = vm.get(key)
        if page is None or page.busy != op.op:
            continue  # a ZERO that does not wait has taken it over meanwhile
        if page.hole is not HoleState.FLUSHING:
            claimed.append((key, vpn))
            continue
        after, _ = vm.hole_event(key, HoleEvent.FLUSHED, op)
        assert after is not None
        vm.unbusy(key, after, out)
    return advance(replace(op, pages=tuple(claimed)))


def _event(scene: Scene, page: Page) -> HoleEvent:
    policy = scene.vm.settings.policy
    if page.hole in _ZEROERS and policy.zeroing is Zeroing.BACKGROUND_STEAL:
        return HoleEvent.STEAL
    if page.hole is HoleState.FLUSHING and policy.zero_not_started is NotStarted.ZERO_THEN_REPERMIT:
        return HoleEvent.ZERO_NOW
    trusted = zero_may_skip(policy) or (
        scene.vm.settings.hazards & Hazard.KNOWN_ZERO_WHILE_WRITABLE
    )
    if page.hole is HoleState.ZEROED and not trusted and scene.vm.dirtied(page):
        return HoleEvent.DIRTIED
    return HoleEvent.ZERO


def claim(scene: Scene, key: PageKey, page: Page) -> bool:
    """Decide one page by the table, and hold it busy until the grant."""
    vm, op = scene.vm, scene.op
    if page.hole is HoleState.LIVE:
        return False  # wired
    if (key, scene.vpn) in op.pages or (key, scene.vpn) in op.wanted:
        return False  # claimed before a page above it sent this ZERO back to HOLE's part
    event = _event(scene, page)
    if vm.must_wait(page, event) and page.busy != op.op:
        return True
    after, actions = vm.hole_event(key, event, op)
    assert after is not None
    if Action.WAIT in actions:
        return True
    scene.found.ns += vm.settings.costs.flag_page_ns
    if Action.ASK_ZEROER in actions:
        scene.found.wanted.append((key, scene.vpn))
        return False
    if Action.SKIP_ZERO in actions:
        scene.out.append(Note(ZeroCase(op.op, "zeroed", 1)))
    if Action.ZERO_INLINE in actions:
        scene.out.append(Note(ZeroCase(op.op, "inline", 1)))
        scene.found.todo += (scene.vpn, 0)
    vm.put(key, after.with_busy(op.op))
    scene.found.pages.append((key, scene.vpn))
    return False


@idle_if(range_scan.nothing_resident)
def claim_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range, ascending.

    A page that is out of the hole again (another ZERO that this one waited for has granted it, a
    fault has made it) sends the operation back to HOLE's part from that page on.
    """
    stop = next((v for v in vm.held_in(space, op.cursor, op.end) if _is_out(vm, space, v)), -1)
    if stop < 0:
        return range_scan.scan(vm, space, op, out, claim)
    after = range_scan.scan(vm, space, replace(op, end=stop), out, claim)
    after = replace(after, end=op.end)
    if after.phase == op.phase:
        return after
    return replace(after, phase=_FIRST.index(hole_live_pages), cursor=stop)


def _is_out(vm: VmState, space: VmSpace, vpn: int) -> bool:
    found = vm.page_at(space, vpn)
    return found is not None and found[1].hole is HoleState.LIVE and not found[1].wired


@idle_if(lambda _vm, _space, op: not op.wanted)
def ask_zeroer(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: have the zeroing thread give up what it holds of the range."""
    if not op.wanted:
        return advance(op)
    keys = tuple(key for key, _ in op.wanted)
    zeroer = vm.settings.zeroer_of(op.asid)
    out.append(Send(zeroer, Steal(KERNEL_LANE + zeroer, op.op, keys)))
    return replace(op, state=OpState.ZEROING)


def ceded(vm: VmState, op: Op, pages: tuple[tuple[PageKey, int], ...], out: list[Effect]) -> Op:
    """Take over what the zeroing thread ceded; the rest of each page is zeroed inline."""
    held = list(op.pages)
    for (key, done), (_, vpn) in zip(pages, op.wanted, strict=True):
        after, actions = vm.hole_event(key, HoleEvent.CEDED, op)
        assert after is not None
        vm.put(key, after.with_busy(op.op))
        held.append((key, vpn))
        if Action.ZERO_INLINE in actions:
            op = replace(op, todo=(*op.todo, vpn, done))
    out.append(Note(ZeroCase(op.op, "stolen", len(pages))))
    return advance(replace(op, pages=tuple(held), wanted=(), state=OpState.READY))


@idle_if(lambda _vm, _space, op: not op.todo)
def zero_inline(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the initiator zeroes what is not zero yet."""
    pfns = {vpn: page.pfn for key, vpn in op.pages if (page := vm.get(key)) is not None}
    pairs = zip(op.todo[::2], op.todo[1::2], strict=True)
    frames = tuple((pfns[vpn], done) for vpn, done in pairs if done < vm.settings.chunks)
    op = replace(op, todo=())
    if not frames:
        return advance(op)
    out.append(Send(op.by, ZeroFrames(op.op, frames, op.ns)))
    return replace(op, state=OpState.WORK, phase=op.phase + 1, ns=0)


def grant(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the pages are usable again; nothing stored from here on may be lost."""
    settings = vm.settings
    op = discard.with_gap_error(vm, space, op)
    late = bool(settings.hazards & Hazard.ZERO_AFTER_GRANT)
    if settings.policy.hole_state is HoleRecord.MAP_ENTRY:
        space.map.change(op.start, op.end, lambda e: e.with_flags(off=HOLE))
    ns = 0
    for key, vpn in op.pages:
        page = vm.get(key)
        assert page is not None
        if page.hole is HoleState.INLINE:
            vm.hole_event(key, HoleEvent.INLINE_DONE, op)
        after, _ = vm.hole_event(key, HoleEvent.GRANT, op)
        assert after is not None
        if settings.policy.grant is Grant.EAGER:
            ns += settings.costs.pte_ns
            after = _enter(vm, space, op.asid << ASID_SHIFT | vpn, key, after)
        vm.unbusy(key, after, out)
    out.append(Note(Granted(op.op, op.asid, op.start, op.end)))
    return advance(replace(op, pages=op.pages if late else ()), ns)


def _enter(vm: VmState, space: VmSpace, va: int, key: PageKey, page: Page) -> Page:
    entry = space.map.lookup(va & VPN_MASK)
    if entry is None or not entry.prot & 1:
        return page
    bits = pte_bits.P | pte_bits.U | (pte_bits.W if entry.prot & 2 else 0)
    # an entry that stayed may be cached with its dirty bit: to clear it needs a shootdown
    bits |= space.pmap.ptes.get(va & VPN_MASK, 0) & (pte_bits.A | pte_bits.D)
    vm.enter(va, key, page, bits)
    return vm.objects[key[0]].pages[key[1]]


def release_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: unlock; what is still held (hazard) goes."""
    vm.unlock_map(space, op, out)
    return advance(replace(op, pages=()))


#: HOLE's part, for pages that are not in a hole
_FIRST: tuple[Phase, ...] = (
    discard.lock(advise_hole.clips),
    *discard.PUNCH_PHASES,
    hole_live_pages,
    *shootdown.PHASES,
    own_flushed,
)

PHASES: tuple[Phase, ...] = (
    *_FIRST,
    claim_pages,
    ask_zeroer,
    zero_inline,
    grant,
    release_pages,
    object_chain.settle,
)

#: with the hazard zero-after-grant the last steps change places
PHASES_GRANT_FIRST: tuple[Phase, ...] = (
    *_FIRST,
    claim_pages,
    ask_zeroer,
    grant,
    zero_inline,
    release_pages,
    object_chain.settle,
)
