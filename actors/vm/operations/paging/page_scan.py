"""How the page daemon goes through a queue of a vm: in batches that are taken off it first.

    collect: off the head of the queue; then page by page, everything looked at again, as anything
    may have happened since; who stays is put into the queue that it belongs to

`op.args` is (number of the queue, target, most pages to look at); `op.todo` the tally so far.
Source: FreeBSD vm_pageout_collect_batch; a batch is VM_BATCHQUEUE_SIZE pages.
"""

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Scanned
from actors.operation import Op, OpKind, replace
from actors.settings import DOMAIN_SHIFT
from actors.vm.state import VmState
from kernel.page import Page
from kernel.page_queue import QUEUES, Queue
from kernel.vmspace import VmSpace

BATCH = 7
#: pages of one write to swap (FreeBSD's vm_pageout_page_count)
CLUSTER = 32
KINDS = {
    Queue.HOLES: OpKind.RECLAIM,
    Queue.NOREUSE: OpKind.RECLAIM,
    Queue.INACTIVE: OpKind.RECLAIM,
    Queue.LAUNDRY: OpKind.LAUNDER,
    Queue.ACTIVE: OpKind.AGE,
}


def begin(vm: VmState, lane: int, by: int, queue: Queue, target: int, short: int) -> Op:
    """Make the operation that goes through a queue once, as it is now."""
    number = vm.settings.daemons.index(by) * QUEUES + queue
    queue_new_pages(vm, number // QUEUES)
    most = vm.pages.queues.length(number)
    args = (number, target, most, short)
    return Op(lane, by, KINDS[queue], min(vm.spaces), 0, 0, args, todo=(0, 0, 0))


def queue_new_pages(vm: VmState, domain: int) -> None:
    """Queue the pages that became resident since the last scan, in that order.

    FreeBSD collects such operations, too (vm_batchqueue, a queue a cpu); no scan is under way.
    """
    queued = vm.pages.queues.where
    for pfn, (oid, index) in vm.pages.frames.items():
        if pfn not in queued and pfn >> DOMAIN_SHIFT == domain:
            vm.pages.activate(vm.objects.by_oid[oid].pages[index])


def queue_of(op: Op) -> Queue:
    """Give the queue that an operation goes through."""
    return Queue(op.args[0] % QUEUES)


def is_asked_for(op: Op) -> bool:
    """Say whether a call asks for these pages to go (MADV_PAGEOUT), used or not."""
    return op.kind is OpKind.ADVISE_PAGEOUT


def count(op: Op, *, looked: int = 0, freed: int = 0, moved: int = 0) -> Op:
    """Add to the tally: pages looked at, frames freed, pages that got nearer to being freed."""
    a, b, c = op.todo
    return replace(op, todo=(a + looked, b + freed, c + moved))


def met(op: Op) -> bool:
    """Say whether enough is done."""
    _, freed, moved = op.todo
    return freed + moved >= op.args[1]


def collect(vm: VmState, _space: VmSpace, op: Op, out: list[Effect]) -> Op:
    """Phase: take the next batch off the queue; report if there is none, or enough is done."""
    left = op.args[2] - op.todo[0]
    found: list[tuple[int, int]] = []
    if left > 0 and not met(op):
        most = CLUSTER if op.kind is OpKind.LAUNDER else BATCH
        found = vm.pages.queues.take(op.args[0], 1 if vm.settings.fine else min(most, left))
    if not found:
        return report(vm, op, out)
    op = count(op, looked=len(found))
    wanted = tuple((vm.pages.frames[pfn], pfn) for pfn, _ in found)
    return replace(
        op, wanted=wanted, seen=tuple(activity for _, activity in found), phase=op.phase + 1
    )


def report(vm: VmState, op: Op, out: list[Effect]) -> Op:
    """Tell the page daemon what came of it, and how long the queues are now."""
    first = op.args[0] - queue_of(op)
    lengths = tuple(vm.pages.queues.length(first + queue) for queue in Queue)
    _, freed, moved = op.todo
    out.append(Send(op.by, Scanned(op.op, freed, moved, lengths, op.ns)))
    return replace(op, phase=_OVER, error=-1)


#: behind the last phase of any kind
_OVER = 1 << 10


def next_page(
    vm: VmState, op: Op, *, queued_too: bool = False
) -> tuple[Op, PageKey, Page | None, int]:
    """Take the first page of the batch, with its activity.

    None if it is gone, or (but with `queued_too`) somebody else has put it into a queue since.
    """
    key, pfn = op.wanted[0]
    activity = op.seen[0]
    op = replace(op, wanted=op.wanted[1:], seen=op.seen[1:])
    page = vm.pages.get(key)
    if page is None or page.pfn != pfn or (pfn in vm.pages.queues.where and not queued_too):
        return op, key, None, activity
    return op, key, page, activity


def may_go(vm: VmState, key: PageKey, page: Page) -> bool:
    """Say whether a page that is in no hole may be taken at all.

    A wired page stays, and one of a file: there is no pager that writes files.
    """
    return not vm.objects.is_wired(key, page) and vm.objects.by_oid[key[0]].anonymous
