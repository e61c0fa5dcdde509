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
from actors.operation import OpState
from actors.settings import KERNEL_LANE
from actors.vm.op import Op, advance, replace
from actors.vm.operations.advice import advise_hole
from actors.vm.operations.advice.advise_hole import Taken
from actors.vm.operations.advice.zero_grant import grant
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.mappings import discard, object_chain
from actors.vm.operations.ranges import advice_scope, range_claim, range_errors, range_scan
from actors.vm.operations.ranges.advice_scope import advised
from actors.vm.operations.ranges.range_scan import Found, Scene
from actors.vm.payloads import Held, Zero
from actors.vm.phases import Phase, index_of
from actors.vm.state import VmState
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
_LIVE, _FLUSHING, _DEFERRED = HoleState.LIVE, HoleState.FLUSHING, HoleState.DEFERRED


class Decided(Found[Zero]):
    """What ZERO has decided page by page."""

    __slots__ = ("inline", "left", "pages", "wanted")

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self.pages: list[Held] = []
        self.wanted: list[Held] = []
        self.inline: list[tuple[int, int]] = []
        self.left: list[int] = []

    def added_to(self, own: Zero) -> Zero:
        """Return the payload with that."""
        return replace(
            own,
            pages=(*own.pages, *self.pages),
            wanted=(*own.wanted, *self.wanted),
            inline=(*own.inline, *self.inline),
            left=(*own.left, *self.left),
        )


def hole_first(scene: Scene[Taken], key: PageKey, page: Page) -> bool:
    """Make a hole of a page that is not in one; leave the others to `claim`.

    Where ZERO waits neither for its own invalidations nor for those left to other cores, taking
    access away would be for nothing: it is given back at once.
    """
    vm = scene.vm
    if page.hole is _DEFERRED and not vm.holes.zeroes_now:
        return _recall(scene, key, page)
    if page.hole is not _LIVE:
        return False
    closed = not (vm.holes.zeroes_now and defers(vm.settings.policy))
    return advise_hole.make_hole(scene, key, page, closed=closed)


def _recall(scene: Scene[Taken], key: PageKey, page: Page) -> bool:
    """Take a page whose invalidation was left to other cores: ZERO flushes it itself."""
    vm, op = scene.vm, scene.op
    if page.busy != NOBODY:
        return True
    after, _ = vm.holes.event(key, HoleEvent.RECALL, op)
    assert after is not None
    vm.pages.put(key, after.with_busy(op.lane))
    scene.found.gone += [vm.entries.must_flush(va, page.pfn) for va in page.mappings]
    scene.found.pages.append((key, scene.vpn))
    scene.out.append(Note(Outstanding(op.lane, recalled=True)))
    return False


def _none_live(vm: VmState, space: VmSpace, op: Op[Zero]) -> bool:
    return not any(_is_out(vm, space, v) for v in _resident(vm, space, op))


def _resident(vm: VmState, space: VmSpace, op: Op[Zero]) -> Iterator[int]:
    return vm.objects.resident_in(space, op.cursor, op.end, lambda e: advised(vm, e))


def hole_live_pages(vm: VmState, space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: ZERO without HOLE does the HOLE first, page by page."""
    return range_scan.scan(Scene(vm, space, op, out, Taken()), hole_first, lambda e: advised(vm, e))


def own_flushed(vm: VmState, _space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: the pages that this ZERO itself took into the hole are flushed.

    They are unbusied: `claim` takes them again in ascending order, with the others. Keeping them
    while waiting for a page below would deadlock with another ZERO that holds that one.
    """
    claimed = []
    for key, vpn in op.own.pages:
        page = vm.pages.get(key)
        if page is None or page.busy != op.lane:
            continue  # a ZERO that does not wait has taken it over meanwhile
        if page.hole is not _FLUSHING:
            claimed.append((key, vpn))
            continue
        after, _ = vm.holes.event(key, HoleEvent.FLUSHED, op)
        assert after is not None
        vm.waiting.unbusy(key, after, out)
    return advance(replace(op, own=replace(op.own, pages=tuple(claimed))))


def _event(scene: Scene[Decided], page: Page) -> HoleEvent:
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


def _is_wanted(scene: Scene[Decided], key: PageKey) -> bool:
    wanted = (*scene.op.own.wanted, *scene.found.wanted)
    return any(one == key for one, _ in wanted)


def claim(scene: Scene[Decided], key: PageKey, page: Page) -> bool:
    """Decide one page by the table, and hold it busy until the grant."""
    vm, op = scene.vm, scene.op
    if page.hole is _LIVE:  # wired; a device may let go of what it has pinned before the end
        scene.found.left.append(scene.vpn)
        return False
    if page.busy == op.lane or _is_wanted(scene, key):
        # claimed before a page above it sent this ZERO back to HOLE's part, or at another address
        return False
    event = _event(scene, page)
    if vm.holes.must_wait(page, event):
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
        scene.out.append(Note(ZeroCase(op.lane, "zeroed", 1)))
    if Action.ZERO_INLINE in actions:
        scene.out.append(Note(ZeroCase(op.lane, "inline", 1)))
        scene.found.inline.append((scene.vpn, 0))
    if page.hole is _DEFERRED:
        scene.out.append(Note(Outstanding(op.lane, recalled=False)))
        after = after.with_flags(on=DIRTY)  # a TLB may have the dirty bit that the entry had
    vm.pages.put(key, after.with_busy(op.lane))
    scene.found.pages.append((key, scene.vpn))
    return False


def claim_pages(vm: VmState, space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: every resident page of the range, ascending.

    A page that is out of the hole again (granted by another ZERO that this one waited for, or made
    by a fault) sends the operation back to HOLE's part from that page on. What a fault has made
    below meanwhile is left: waiting for it now, with pages above in hand, could deadlock.
    """
    op = replace(op, cursor=max(op.cursor, op.own.upto))
    stop = next((v for v in _resident(vm, space, op) if _is_out(vm, space, v)), -1)
    upto = op if stop < 0 else replace(op, end=stop)
    scene = Scene(vm, space, upto, out, Decided())
    after: Op[Zero] = range_scan.scan(scene, claim, lambda e: advised(vm, e))
    if stop < 0:
        return after
    after = replace(after, end=op.end)
    if after.phase == op.phase:
        return after
    own = replace(after.own, upto=stop)
    return replace(after, phase=_HOLE_LIVE_PAGES, cursor=stop, own=own)


def _is_out(vm: VmState, space: VmSpace, vpn: int) -> bool:
    found = vm.objects.page_at(space, vpn)
    if found is None or vm.objects.is_wired(*found):
        return False
    hole = found[1].hole
    return hole is _LIVE or (hole is _DEFERRED and not vm.holes.zeroes_now)


def ask_zeroer(vm: VmState, _space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: have the zeroing threads give up what they hold of the range, one after another."""
    wanted = op.own.wanted
    if not wanted:
        return advance(op)
    if vm.settings.policy.claim is Claims.DEKKER:
        pages = tuple((key, _pfn(vm, key), vm.zeroing.taken[key]) for key, _ in wanted)
        out.append(Send(op.by, Claim(op.lane, pages, op.ns)))
        return replace(op, state=OpState.ZEROING, ns=0)
    zeroers = [vm.settings.zeroer_of(_pfn(vm, key)) for key, _ in wanted]
    zeroer = zeroers[0]
    keys = tuple(key for (key, _), its in zip(wanted, zeroers, strict=True) if its == zeroer)
    out.append(Send(zeroer, Steal(KERNEL_LANE + zeroer, op.lane, keys)))
    return replace(op, state=OpState.ZEROING)


def _pfn(vm: VmState, key: PageKey) -> int:
    page = vm.pages.get(key)
    assert page is not None, "it is in the hands of a zeroing thread"
    return page.pfn


def ceded(
    vm: VmState, op: Op[Zero], pages: tuple[tuple[PageKey, int], ...], out: list[Effect]
) -> Op[Zero]:
    """Take over what the zeroing thread ceded; the rest of each page is zeroed inline.

    pages: each with the chunks that are zero already.
    """
    held, wanted, inline = list(op.own.pages), dict(op.own.wanted), list(op.own.inline)
    for key, done in pages:
        vpn = wanted.pop(key)
        after, actions = vm.holes.event(key, HoleEvent.CEDED, op)
        assert after is not None
        vm.pages.put(key, after.with_busy(op.lane))
        held.append((key, vpn))
        if Action.ZERO_INLINE in actions:
            stored_since = not zero_may_skip(vm.settings.policy) and vm.entries.dirtied(after)
            inline.append((vpn, 0 if stored_since else done))
    out.append(Note(ZeroCase(op.lane, "stolen", len(pages))))
    left = tuple(wanted.items())
    own = replace(op.own, pages=tuple(held), wanted=left, inline=tuple(inline))
    op = replace(op, own=own, state=OpState.READY)
    return op if left else advance(op)


def zero_inline(vm: VmState, _space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: the initiator zeroes what is not zero yet."""
    if not op.own.inline:
        return advance(op)
    pfns = {vpn: page.pfn for key, vpn in op.own.pages if (page := vm.pages.get(key)) is not None}
    chunks = vm.settings.chunks
    frames = tuple((pfns[vpn], done) for vpn, done in op.own.inline if done < chunks)
    op = replace(op, own=replace(op.own, inline=()))
    if not frames:
        return advance(op)
    out.append(Send(op.by, ZeroFrames(op.lane, frames, op.ns)))
    return replace(op, state=OpState.WORK, phase=op.phase + 1, ns=0)


def release_pages(vm: VmState, space: VmSpace, op: Op[Zero], out: list[Effect]) -> Op[Zero]:
    """Phase: unlock, and let go of what is still held (with a hazard)."""
    return range_claim.unlock(vm, space, replace(op, own=replace(op.own, pages=())), out)


#: HOLE's part, for pages that are not in a hole; then one page after the other is decided
_FIRST: tuple[Phase, ...] = (
    discard.lock(advise_hole.clips, advice_scope.punched),
    range_errors.CHECK,
    range_claim.CLAIM_RANGE,
    advice_scope.REFUSE,
    *discard.PUNCH_PHASES,
    Phase(hole_live_pages, idle=_none_live),
    shootdown.JOIN_FLUSHES,
    *shootdown.PHASES,
    Phase(own_flushed, idle=lambda _vm, _space, op: not op.own.pages),
    Phase(claim_pages, idle=range_scan.nothing_resident),
    Phase(ask_zeroer, idle=lambda _vm, _space, op: not op.own.wanted),
)
_HOLE_LIVE_PAGES = index_of(_FIRST, hole_live_pages)
_ZERO_INLINE = Phase(zero_inline, idle=lambda _vm, _space, op: not op.own.inline)
_GRANT: tuple[Phase, ...] = (Phase(grant), *shootdown.PHASES)
_LAST: tuple[Phase, ...] = (Phase(release_pages), object_chain.SETTLE)

PHASES: tuple[Phase, ...] = (*_FIRST, _ZERO_INLINE, *_GRANT, *_LAST)
#: with the hazard zero-after-grant the last steps change places
PHASES_GRANT_FIRST: tuple[Phase, ...] = (*_FIRST, *_GRANT, _ZERO_INLINE, *_LAST)
