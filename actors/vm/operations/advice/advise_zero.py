"""madvise(MADV_FREE_ZERO): the range leaves the hole, and its contents are zero.

    as HOLE first (pages that are not in a hole yet); then page by page, by THE TABLE: zeroed ->
    skip; in the zeroing thread's hands -> steal or wait; else -> take for zeroing inline;
    ask the zeroing thread to cede; zero inline; grant; unlock

Every page that ZERO has looked at stays busy until the grant. The grant is the linearisation point.
Source: issue 1318, davidchisnall's step 4; nwf: ZERO without HOLE does the HOLE first.
"""

from collections.abc import Iterator

from actors.facts import Outstanding, ZeroCase
from actors.machine import Effect, Note, Send
from actors.message import PageKey
from actors.messages import Claim, Steal, ZeroFrames
from actors.operation import Op, OpState, advance, replace
from actors.settings import KERNEL_LANE
from actors.vm.operations.advice import advise_hole
from actors.vm.operations.advice.zero_grant import grant
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import advice_scope, range_claim, range_errors, range_scan
from actors.vm.operations.ranges.advice_scope import advised
from actors.vm.operations.ranges.range_scan import Scene
from actors.vm.state import Phase, VmState, idle_if
from kernel.hazards.switches import Hazard
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import DIRTY, NOBODY, Page
from kernel.policy.keys import Claim as Claims
from kernel.policy.keys import Zeroing, defers, zero_may_skip
from kernel.vmspace import VmSpace

#: states in which the zeroing thread holds the page
_ZEROERS = frozenset({HoleState.ZEROING, HoleState.STEALING})
#: states in which some TLB may hold the old entry
_OUTSTANDING = frozenset({HoleState.FLUSHING, HoleState.DEFERRED})


def hole_first(scene: Scene, key: PageKey, page: Page) -> bool:
    """Make a hole of a page that is not in one; leave the others to `claim`.

    Where ZERO need not wait for invalidations, and does not for those left to other cores, there is
    nothing to take access away for: it is given back at once.
    """
    vm = scene.vm
    if page.hole is HoleState.DEFERRED and not vm.holes.zeroes_now:
        return _recall(scene, key, page)
    if page.hole is not HoleState.LIVE:
        return False
    closed = not (vm.holes.zeroes_now and defers(vm.settings.policy))
    return advise_hole.make_hole(scene, key, page, closed=closed)


def _recall(scene: Scene, key: PageKey, page: Page) -> bool:
    """Take a page whose invalidation was left to other cores: ZERO flushes it itself."""
    vm, op = scene.vm, scene.op
    if page.busy != NOBODY:
        return True
    after, _ = vm.holes.event(key, HoleEvent.RECALL, op)
    assert after is not None
    vm.pages.put(key, after.with_busy(op.op))
    scene.found.gone += [vm.entries.must_flush(va, page.pfn) for va in page.mappings]
    scene.found.pages.append((key, scene.vpn))
    scene.out.append(Note(Outstanding(op.op, recalled=True)))
    return False


def _none_live(vm: VmState, space: VmSpace, op: Op) -> bool:
    return not any(_is_out(vm, space, v) for v in _resident(vm, space, op))


def _resident(vm: VmState, space: VmSpace, op: Op) -> Iterator[int]:
    return vm.objects.resident_in(space, op.cursor, op.end, lambda e: advised(vm, e))


@idle_if(_none_live)
def hole_live_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: ZERO without HOLE does the HOLE first, page by page."""
    return range_scan.scan(vm, space, op, out, hole_first, lambda e: advised(vm, e))


@idle_if(lambda _vm, _space, op: not op.pages)
def own_flushed(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the pages that this ZERO itself took into the hole are flushed.

    They are unbusied: `claim` takes them again in ascending order, with the others. To keep them
    and wait for a page below would be a deadlock with another ZERO that holds that one.
    """
    claimed = []
    for key, vpn in op.pages:
        page = vm.pages.get(key)
        if page is None or page.busy != op.op:
            continue  # a ZERO that does not wait has taken it over meanwhile
        if page.hole is not HoleState.FLUSHING:
            claimed.append((key, vpn))
            continue
        after, _ = vm.holes.event(key, HoleEvent.FLUSHED, op)
        assert after is not None
        vm.waiting.unbusy(key, after, out)
    return advance(replace(op, pages=tuple(claimed)))


def _event(scene: Scene, page: Page) -> HoleEvent:
    policy = scene.vm.settings.policy
    if page.hole in _ZEROERS and policy.zeroing is Zeroing.BACKGROUND_STEAL:
        return HoleEvent.STEAL
    if page.hole in _OUTSTANDING and scene.vm.holes.zeroes_now:
        return HoleEvent.ZERO_NOW
    trusted = zero_may_skip(policy) or (
        scene.vm.settings.hazards & Hazard.KNOWN_ZERO_WHILE_WRITABLE
    )
    if page.hole is HoleState.ZEROED and not trusted and scene.vm.entries.dirtied(page):
        return HoleEvent.DIRTIED
    return HoleEvent.ZERO


def claim(scene: Scene, key: PageKey, page: Page) -> bool:
    """Decide one page by the table, and hold it busy until the grant."""
    vm, op = scene.vm, scene.op
    if page.hole is HoleState.LIVE:  # wired; what a device has pinned may be let go before the end
        scene.found.left.append(scene.vpn)
        return False
    if (key, scene.vpn) in op.pages or (key, scene.vpn) in op.wanted:
        return False  # claimed before a page above it sent this ZERO back to HOLE's part
    event = _event(scene, page)
    if vm.holes.must_wait(page, event) and page.busy != op.op:
        return True
    after, actions = vm.holes.event(key, event, op)
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
    if page.hole is HoleState.DEFERRED:
        scene.out.append(Note(Outstanding(op.op, recalled=False)))
        after = after.with_flags(on=DIRTY)  # a TLB may have the dirty bit that the entry had
    vm.pages.put(key, after.with_busy(op.op))
    scene.found.pages.append((key, scene.vpn))
    return False


@idle_if(range_scan.nothing_resident)
def claim_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: every resident page of the range, ascending.

    A page that is out of the hole again (another ZERO that this one waited for has granted it, a
    fault has made it) sends the operation back to HOLE's part from that page on. What a fault has
    made below meanwhile is left: to want it now, with pages above in hand, would be a deadlock.
    """
    op = replace(op, cursor=max(op.cursor, op.claimed))
    stop = next((v for v in _resident(vm, space, op) if _is_out(vm, space, v)), -1)
    if stop < 0:
        return range_scan.scan(vm, space, op, out, claim, lambda e: advised(vm, e))
    upto = replace(op, end=stop)
    after = range_scan.scan(vm, space, upto, out, claim, lambda e: advised(vm, e))
    after = replace(after, end=op.end)
    if after.phase == op.phase:
        return after
    return replace(after, phase=_FIRST.index(hole_live_pages), cursor=stop, claimed=stop)


def _is_out(vm: VmState, space: VmSpace, vpn: int) -> bool:
    found = vm.objects.page_at(space, vpn)
    if found is None or vm.objects.is_wired(*found):
        return False
    hole = found[1].hole
    return hole is HoleState.LIVE or (hole is HoleState.DEFERRED and not vm.holes.zeroes_now)


@idle_if(lambda _vm, _space, op: not op.wanted)
def ask_zeroer(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: have the zeroing threads give up what they hold of the range, one after another."""
    if not op.wanted:
        return advance(op)
    if vm.settings.policy.claim is Claims.DEKKER:
        pages = tuple((key, _pfn(vm, key), vm.zeroing.taken[key]) for key, _ in op.wanted)
        out.append(Send(op.by, Claim(op.op, pages, op.ns)))
        return replace(op, state=OpState.ZEROING, ns=0)
    zeroers = [vm.settings.zeroer_of(_pfn(vm, key)) for key, _ in op.wanted]
    zeroer = zeroers[0]
    keys = tuple(key for (key, _), its in zip(op.wanted, zeroers, strict=True) if its == zeroer)
    out.append(Send(zeroer, Steal(KERNEL_LANE + zeroer, op.op, keys)))
    return replace(op, state=OpState.ZEROING)


def _pfn(vm: VmState, key: PageKey) -> int:
    page = vm.pages.get(key)
    assert page is not None, "it is in the hands of a zeroing thread"
    return page.pfn


def ceded(vm: VmState, op: Op, pages: tuple[tuple[PageKey, int], ...], out: list[Effect]) -> Op:
    """Take over what the zeroing thread ceded; the rest of each page is zeroed inline."""
    held, wanted = list(op.pages), dict(op.wanted)
    for key, done in pages:
        vpn = wanted.pop(key)
        after, actions = vm.holes.event(key, HoleEvent.CEDED, op)
        assert after is not None
        vm.pages.put(key, after.with_busy(op.op))
        held.append((key, vpn))
        if Action.ZERO_INLINE in actions:
            stored_behind = not zero_may_skip(vm.settings.policy) and vm.entries.dirtied(after)
            op = replace(op, todo=(*op.todo, vpn, 0 if stored_behind else done))
    out.append(Note(ZeroCase(op.op, "stolen", len(pages))))
    left = tuple(wanted.items())
    op = replace(op, pages=tuple(held), wanted=left, state=OpState.READY)
    return op if left else advance(op)


@idle_if(lambda _vm, _space, op: not op.todo)
def zero_inline(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: the initiator zeroes what is not zero yet."""
    pfns = {vpn: page.pfn for key, vpn in op.pages if (page := vm.pages.get(key)) is not None}
    pairs = zip(op.todo[::2], op.todo[1::2], strict=True)
    frames = tuple((pfns[vpn], done) for vpn, done in pairs if done < vm.settings.chunks)
    op = replace(op, todo=())
    if not frames:
        return advance(op)
    out.append(Send(op.by, ZeroFrames(op.op, frames, op.ns)))
    return replace(op, state=OpState.WORK, phase=op.phase + 1, ns=0)


def release_pages(vm: VmState, space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: unlock; what is still held (hazard) goes."""
    return range_claim.unlock(vm, space, replace(op, pages=()), out)


#: HOLE's part, for pages that are not in a hole
_FIRST: tuple[Phase, ...] = (
    discard.lock(advise_hole.clips, advice_scope.punched),
    range_errors.check(range_errors.wired),
    range_claim.claim_range,
    advice_scope.refuse,
    *discard.PUNCH_PHASES,
    hole_live_pages,
    shootdown.join_flushes,
    *shootdown.PHASES,
    own_flushed,
)

PHASES: tuple[Phase, ...] = (
    *_FIRST,
    claim_pages,
    ask_zeroer,
    zero_inline,
    grant,
    *shootdown.PHASES,
    release_pages,
    object_chain.settle,
)

#: with the hazard zero-after-grant the last steps change places
PHASES_GRANT_FIRST: tuple[Phase, ...] = (
    *_FIRST,
    claim_pages,
    ask_zeroer,
    grant,
    *shootdown.PHASES,
    zero_inline,
    release_pages,
    object_chain.settle,
)
