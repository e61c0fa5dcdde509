"""How the page daemon goes through a queue of a vm: in batches that are taken off it first.

    collect: off the head of the queue; then page by page, everything looked at again, as anything
    may have happened since; a page that stays is put into the queue where it belongs

Source: FreeBSD vm_pageout_collect_batch; a batch is VM_BATCHQUEUE_SIZE pages.
"""

from typing import TypeVar

from actors.machine import Effect, Send
from actors.message import PageKey
from actors.messages import Scanned
from actors.operation import OpKind
from actors.settings import DOMAIN_SHIFT
from actors.vm.op import Op, replace
from actors.vm.payloads import Scan
from actors.vm.phases import Phase
from actors.vm.state import VmState
from kernel.page import Page
from kernel.page_queue import QUEUES, Queue
from kernel.vmspace import VmSpace

#: payloads of operations that go through pages of queues
S = TypeVar("S", bound=Scan)
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


def begin(vm: VmState, lane: int, by: int, queue: Queue, target: int, short: int) -> Op[Scan]:
    """Make the operation that goes through a queue once, as it is now."""
    number = vm.settings.daemons.index(by) * QUEUES + queue
    queue_new_pages(vm, number // QUEUES)
    most = vm.pages.queues.length(number)
    own = Scan(number, target, most, bool(short))
    return Op(lane, by, KINDS[queue], min(vm.spaces), 0, 0, own)


def queue_new_pages(vm: VmState, domain: int) -> None:
    """Queue the pages that became resident since the last scan, in that order.

    FreeBSD batches such additions as well (vm_batchqueue, one a cpu); no scan is under way.
    """
    queued = vm.pages.queues.where
    for pfn, (oid, index) in vm.pages.frames.items():
        if pfn not in queued and pfn >> DOMAIN_SHIFT == domain:
            vm.pages.activate(vm.objects.by_oid[oid].pages[index])


def queue_of(own: Scan) -> Queue:
    """Return the queue that an operation goes through."""
    return Queue(own.queue % QUEUES)


def is_asked_for(op: Op[Scan]) -> bool:
    """Say whether a call asks for these pages to go (MADV_PAGEOUT), used or not."""
    return op.kind is OpKind.ADVISE_PAGEOUT


def count(op: Op[S], *, freed: int = 0, moved: int = 0) -> Op[S]:
    """Add to the tally: frames freed, pages that got nearer to being freed."""
    own = op.own
    return replace(op, own=replace(own, freed=own.freed + freed, moved=own.moved + moved))


def _met(own: Scan) -> bool:
    """Say whether enough is done."""
    return own.freed + own.moved >= own.target


def collect(vm: VmState, _space: VmSpace, op: Op[Scan], out: list[Effect]) -> Op[Scan]:
    """Phase: take the next batch off the queue; report if there is none, or enough is done."""
    own = op.own
    left = own.most - own.looked
    found: list[tuple[int, int]] = []
    if left > 0 and not _met(own):
        most = CLUSTER if op.kind is OpKind.LAUNDER else BATCH
        found = vm.pages.queues.take(own.queue, 1 if vm.settings.fine else min(most, left))
    if not found:
        return report(vm, op, out)
    batch = tuple((vm.pages.frames[pfn], pfn, activity) for pfn, activity in found)
    own = replace(own, looked=own.looked + len(found), batch=batch)
    return replace(op, own=own, phase=op.phase + 1)


def report(vm: VmState, op: Op[Scan], out: list[Effect]) -> Op[Scan]:
    """Tell the page daemon what came of it, and how long the queues are now."""
    own = op.own
    first = own.queue - queue_of(own)
    lengths = tuple(vm.pages.queues.length(first + queue) for queue in Queue)
    out.append(Send(op.by, Scanned(op.lane, own.freed, own.moved, lengths, op.ns)))
    return replace(op, phase=_OVER, error=-1)


COLLECT = Phase(collect)
#: after the last phase of any kind
_OVER = 1 << 10


def next_page(
    vm: VmState, op: Op[S], *, queued_too: bool = False
) -> tuple[Op[S], PageKey, Page | None, int]:
    """Take the first page of the batch, with its activity.

    None if it is gone, or (but with `queued_too`) somebody else has put it into a queue since.
    """
    (key, pfn, activity), *others = op.own.batch
    op = replace(op, own=replace(op.own, batch=tuple(others)))
    page = vm.pages.get(key)
    if page is None or page.pfn != pfn or (pfn in vm.pages.queues.where and not queued_too):
        return op, key, None, activity
    return op, key, page, activity


def may_go(vm: VmState, key: PageKey, page: Page) -> bool:
    """Say whether a page that is in no hole may be taken at all.

    A wired page stays, and one of a file: there is no pager that writes files.
    """
    return not vm.objects.is_wired(key, page) and vm.objects.by_oid[key[0]].anonymous
