"""madvise(MADV_PAGEOUT): the caller does at once what the page daemon might do later.

    lock; dirty pages: write them to swap, a cluster at a time, the caller sleeps meanwhile; then
    free what is in swap and clean, what MADV_FREE was called for, and pages of holes; unlock

Pages that somebody else maps as well are left alone; a page goes even if it was just used.
Source: Linux madvise_pageout, reclaim_pages (which ignores references).
"""

from collections.abc import Callable, Iterator

from actors.machine import Effect
from actors.message import PageKey
from actors.settings import DOMAIN_SHIFT
from actors.vm.op import Op, replace
from actors.vm.operations.paging import launder, page_scan, reclaim
from actors.vm.operations.ranges import range_errors, range_scan
from actors.vm.payloads import Pageout, Queued
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.hole import HoleState
from kernel.page import LAZY_FREE, NOBODY, Page
from kernel.page_queue import Queue
from kernel.vmspace import VmSpace

#: says whether a page is for one of the two parts
_Choice = Callable[[VmState, PageKey, Page], bool]


def _is_dirty(vm: VmState, _key: PageKey, page: Page) -> bool:
    return bool(vm.settings.swaps) and page.hole is HoleState.LIVE and vm.entries.dirtied(page)


def _may_be_free(vm: VmState, key: PageKey, page: Page) -> bool:
    """Choose what need not be written.

    But not a page never written to: on Linux that is the zero page.
    """
    if page.hole is not HoleState.LIVE or page.flags & LAZY_FREE:
        return True
    return key[1] in vm.objects.by_oid[key[0]].swap and not vm.entries.dirtied(page)


def _found(
    vm: VmState, space: VmSpace, op: Op[Pageout], choice: _Choice
) -> Iterator[tuple[int, PageKey]]:
    for vpn in vm.objects.resident_in(space, max(op.start, op.own.upto), op.end):
        at = vm.objects.page_at(space, vpn)
        if at is None or at[1].busy != NOBODY or at[1].pfn < 0 or len(at[1].mappings) > 1:
            continue
        if choice(vm, *at):
            yield vpn, at[0]


def _choose(name: str, choice: _Choice, most: int, over: int) -> Phase:
    """Return the phase that takes the next batch off its queues; without one it skips `over`.

    All pages of a batch are of one domain, as one memory writes them.
    """

    def step(vm: VmState, space: VmSpace, op: Op[Pageout], _out: list[Effect]) -> Op[Pageout]:
        batch: list[Queued] = []
        upto = op.own.upto
        for vpn, key in _found(vm, space, op, choice):
            pfn = vm.objects.by_oid[key[0]].pages[key[1]].pfn
            if batch and pfn >> DOMAIN_SHIFT != batch[0][1] >> DOMAIN_SHIFT:
                break
            vm.pages.queues.remove(pfn)
            batch.append((key, pfn, 0))
            upto = vpn + 1
            if len(batch) == (1 if vm.settings.fine else most):
                break
        if not batch:
            return replace(op, phase=op.phase + over, own=replace(op.own, upto=0))
        own = Pageout(queue=Queue.INACTIVE, batch=tuple(batch), upto=upto)
        return replace(op, phase=op.phase + 1, own=own)

    return Phase(step, shown=name)


PHASES: tuple[Phase, ...] = (
    range_scan.LOCK_SHARED,
    range_errors.CHECK,
    _choose("choose_dirty", _is_dirty, page_scan.CLUSTER, len(launder.PHASES)),
    *launder.PHASES[1:],
    _choose("choose_clean", _may_be_free, page_scan.BATCH, len(reclaim.PHASES)),
    *reclaim.PHASES[1:],
    range_scan.UNLOCK,
)
