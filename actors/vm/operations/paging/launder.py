"""The page daemon writes dirty pages to swap: their frames can go then.

    page by page: try busy, look again: of a hole, clean, used, wired -> not written; take W and D
    from the entries; shoot down, after `daemon_batch` pages at the latest; write the cluster; when
    it is written: clean, next to go

A page of a hole is never written. The page stays mapped for reading; a store faults and waits.
Source: FreeBSD vm_pageout_launder, vm_pageout_flush (pmap_remove_write before the write starts),
swp_pager_async_iodone (vm_page_undirty, vm_page_deactivate_noreuse).
"""

from typing import Any

from actors.facts import SwapWritten
from actors.machine import Effect, Note, Send
from actors.message import NO_SLOT, PageKey
from actors.messages import PageOut, Sleep
from actors.operation import OpKind, OpState
from actors.vm.entries import NO_FRAME, Gone
from actors.vm.op import Op, advance, replace
from actors.vm.operations.flushes import shootdown
from actors.vm.operations.paging import page_scan
from actors.vm.operations.paging.page_scan import S
from actors.vm.payloads import Scan
from actors.vm.phases import Phase, StepFn, index_of
from actors.vm.state import VmState
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.hole import HoleState
from kernel.page import DIRTY, KNOWN_ZERO, LAZY_FREE, NOBODY, Page
from kernel.page_queue import Queue
from kernel.units import ASID_SHIFT, VPN_MASK
from kernel.vmspace import VmSpace


def protect_pages(vm: VmState, _space: VmSpace, op: Op[S], _out: list[Effect]) -> Op[S]:
    """Phase: pages to be written are busied, and cannot be stored to any more."""
    room = vm.settings.policy.daemon_batch
    owed = op.flush.gone
    gone, taken, ns = list(owed), list(op.own.taken), 0
    while op.own.batch and _unflushed(gone) < room:
        op, key, page, _ = page_scan.next_page(vm, op)
        ns += vm.settings.costs.flag_page_ns
        if page is not None and _is_written(vm, op, key, page, gone):
            vm.pages.put(key, page.with_busy(op.lane).with_flags(on=DIRTY))
            taken.append(key)
            gone += _write_protected(vm, page)
        if vm.settings.fine:
            break
    ns += (len(gone) - len(owed)) * vm.settings.costs.pte_ns
    full = _unflushed(gone) >= room
    own, flush = replace(op.own, taken=tuple(taken)), replace(op.flush, gone=tuple(gone))
    op = replace(op, own=own, flush=flush, ns=op.ns + ns)
    return op if own.batch and not full else advance(op)


def _unflushed(gone: list[Gone]) -> int:
    return len({pfn for _, pfn in gone if pfn != NO_FRAME})


def _is_written(vm: VmState, op: Op[Scan], key: PageKey, page: Page, gone: list[Gone]) -> bool:
    """Decide one page of the batch; one that is not written goes where it belongs."""
    if page.busy != NOBODY:
        if page.pfn not in vm.pages.queues.where:
            vm.pages.enqueue(page.pfn, Queue.LAUNDRY)
        return False
    careless = vm.settings.hazards & Hazard.HOLE_TO_SWAP
    if page.hole is not HoleState.LIVE and not careless:
        vm.pages.activate(page)
        return False
    references, flushes = vm.entries.take_references(page)
    gone += flushes
    used = references and not page_scan.is_asked_for(op)
    if used or not page_scan.may_go(vm, key, page):
        vm.pages.activate(page)
        return False
    if not vm.entries.dirtied(page):
        vm.pages.enqueue(page.pfn, Queue.NOREUSE)
        return False
    return True


def _write_protected(vm: VmState, page: Page) -> list[Gone]:
    """Take W and D from the entries of a page; D lives on in the page.

    What another operation has taken away, and not flushed yet, may be stored through as well.
    """
    gone = []
    for va in page.mappings:
        pte = vm.spaces[va >> ASID_SHIFT].pmap.ptes.get(va & VPN_MASK, 0)
        if pte & pte_bits.W and pte_bits.pfn_of(pte) == page.pfn:
            gone.append(vm.entries.must_flush(va, page.pfn))
        elif (owed := vm.entries.owed(va)) is not None:
            gone.append(owed)
        if pte and pte_bits.pfn_of(pte) == page.pfn:
            vm.spaces[va >> ASID_SHIFT].pmap.ptes[va & VPN_MASK] = pte & ~(pte_bits.W | pte_bits.D)
    return gone


def more(vm: VmState, _space: VmSpace, op: Op[S], _out: list[Effect]) -> Op[S]:
    """Phase: the next pages of the batch, before all are written."""
    return _back(vm, op, more, protect_pages) if op.own.batch else advance(op)


def write_out(vm: VmState, _space: VmSpace, op: Op[S], out: list[Effect]) -> Op[S]:
    """Phase: nobody can store to the pages; have memory send them to swap."""
    own = op.own
    if not own.taken:
        return _back(vm, op, write_out, page_scan.collect)
    assert not own.batch or vm.settings.hazards, "a cluster is written at once"
    pages = [(key, page) for key in own.taken if (page := vm.pages.get(key)) is not None]
    pfns = tuple(page.pfn for _, page in pages)
    slots = tuple(vm.objects.by_oid[oid].swap.get(index, NO_SLOT) for (oid, index), _ in pages)
    out.append(Send(vm.settings.memory_of(pfns[0]), PageOut(op.lane, pfns, slots)))
    if op.by < vm.settings.cores:
        out.append(Send(op.by, Sleep(op.lane, OpState.PAGER, op.ns)))
        op = replace(op, ns=0)
    return replace(op, state=OpState.PAGER)


def paged_out(op: Op[S], slots: tuple[int, ...]) -> Op[S]:
    """Take in that the pages are written, and where."""
    return advance(replace(op, own=replace(op.own, slots=slots), state=OpState.READY))


def written(vm: VmState, _space: VmSpace, op: Op[S], out: list[Effect]) -> Op[S]:
    """Phase: the pages are in swap; those for which there was no room are dirty as before."""
    done = 0
    for key, slot in zip(op.own.taken, op.own.slots, strict=True):
        page = vm.pages.get(key)
        assert page is not None, "it is busy"
        if slot == NO_SLOT:
            vm.waiting.unbusy(key, page, out)
            vm.pages.enqueue(page.pfn, Queue.LAUNDRY)
            continue
        done += 1
        vm.objects.by_oid[key[0]].swap[key[1]] = slot
        vm.waiting.unbusy(key, page.with_flags(off=DIRTY | LAZY_FREE | KNOWN_ZERO), out)
        vm.pages.enqueue(page.pfn, Queue.NOREUSE if page.hole is HoleState.LIVE else Queue.HOLES)
    if done:
        out.append(Note(SwapWritten(op.lane, done)))
    op = page_scan.count(replace(op, own=replace(op.own, taken=(), slots=())), moved=done)
    return _back(vm, op, written, protect_pages if op.own.batch else page_scan.collect)


PHASES: tuple[Phase, ...] = (
    page_scan.COLLECT,
    Phase(protect_pages),
    *shootdown.PHASES,
    Phase(more, idle=lambda _vm, _space, op: not op.own.batch),
    Phase(write_out),
    Phase(written),
)
#: with the hazard page-out-before-acks the pages are written first
PHASES_WRITE_FIRST: tuple[Phase, ...] = (
    page_scan.COLLECT,
    Phase(protect_pages),
    Phase(write_out),
    *shootdown.PHASES,
    Phase(written),
)


def phases(vm: VmState, op: Op[Any]) -> tuple[Phase, ...]:
    """Return the phases in which pages are written."""
    early = op.kind is OpKind.LAUNDER and vm.settings.hazards & Hazard.PAGE_OUT_BEFORE_ACKS
    return PHASES_WRITE_FIRST if early else PHASES


def _back(vm: VmState, op: Op[S], here: StepFn, there: StepFn) -> Op[S]:
    """Go back from one of the phases to another, wherever they are among the operation's."""
    among = phases(vm, op)
    return replace(op, phase=op.phase - index_of(among, here) + index_of(among, there))
