"""The page daemon ages active pages: one that is not used for long becomes inactive.

    page by page: used since the last scan -> more active; else less, and at 0 inactive, or, if
    dirty while frames are short, into the laundry at once

Source: FreeBSD vm_pageout_scan_active (act_scan_laundry_weight: a clean page counts three times).
"""

from actors.machine import Effect
from actors.vm.entries import Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.paging import page_scan
from actors.vm.payloads import Scan
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.page_queue import ACT_ADVANCE, ACT_DECLINE, ACT_MAX, CLEAN_WEIGHT, Queue
from kernel.vmspace import VmSpace


def age_pages(vm: VmState, _space: VmSpace, op: Op[Scan], _out: list[Effect]) -> Op[Scan]:
    """Phase: the pages of the batch."""
    gone: list[Gone] = []
    ns = moved = 0
    short = op.own.short
    while op.own.batch:
        pfn = op.own.batch[0][1]
        op, key, page, activity = page_scan.next_page(vm, op)
        ns += vm.settings.costs.flag_page_ns
        if page is not None:
            references, flushes = vm.entries.take_references(page)
            gone += flushes
            if references or not page_scan.may_go(vm, key, page):
                activity = min(ACT_MAX, activity + ACT_ADVANCE + references)
            else:
                activity = max(0, activity - ACT_DECLINE)
            if activity:
                vm.pages.enqueue(pfn, Queue.ACTIVE, activity)
            elif short and vm.entries.dirtied(page):
                vm.pages.enqueue(pfn, Queue.LAUNDRY)
                moved += 1
            else:
                vm.pages.enqueue(pfn, Queue.INACTIVE)
                moved += CLEAN_WEIGHT if short else 1
        if vm.settings.fine:
            break
    ns += len(gone) * vm.settings.costs.pte_ns
    op = page_scan.count(replace(op, flush=op.flush.owing(gone), ns=op.ns + ns), moved=moved)
    return op if op.own.batch else advance(op)


def next_batch(_vm: VmState, _space: VmSpace, op: Op[Scan], _out: list[Effect]) -> Op[Scan]:
    """Phase: the batch is done."""
    return replace(op, phase=0)


PHASES: tuple[Phase, ...] = (
    page_scan.COLLECT,
    Phase(age_pages),
    *shootdown.PHASES,
    Phase(next_batch),
)
