"""The catalogue of hazards: what each switch does.

Each names its mechanism, the properties that it breaks, the step boundary that it needs and the
real bug that it resembles, by its number in SOURCES.md.
"""

import msgspec

from kernel.hazards.switches import Hazard


class HazardInfo(msgspec.Struct, frozen=True):
    """What a hazard is."""

    name: str
    mechanism: str
    #: names of the properties that it breaks in its scenario, the first one seen first; in other
    #: orders of delivery it may break others, too
    breaks: tuple[str, ...]
    boundary: str
    resembles: str


def _info(
    mechanism: str, breaks: tuple[str, ...], boundary: str, resembles: str
) -> tuple[str, tuple[str, ...], str, str]:
    return mechanism, breaks, boundary, resembles


_ABOUT = {
    Hazard.FREE_BEFORE_ACKS: _info(
        "munmap and MADV_DONTNEED give the frames back before the shootdown has completed",
        ("translation",),
        "between the entry's removal and the last acknowledgement",
        "M3, H-40; CVE-2018-18281 in shape",
    ),
    Hazard.ACK_OVERTAKES_STORES: _info(
        "a core acknowledges an interrupt while earlier stores are still in its store buffer",
        ("isolate",),
        "between the acknowledgement and the drain",
        "H-41; the ordering that x86 gives for free and a relaxed machine does not",
    ),
    Hazard.ACK_BEFORE_FLUSH: _info(
        "a core acknowledges, runs user code, and only then invalidates",
        ("translation",),
        "between the acknowledgement and the flush",
        "M20, H-41",
    ),
    Hazard.LOST_ACK: _info(
        "one slot instead of a scoreboard: of interrupts that arrive together, only the last is "
        "acknowledged",
        ("progress",),
        "two initiators, one target that takes both interrupts at one instruction boundary",
        "smp_targeted_tlb_shootdown before the per-initiator scoreboard (r363195)",
    ),
    Hazard.WALK_SURVIVES_FLUSH: _info(
        "an invalidation does not kill a page walk in flight: the old entry is cached after it",
        ("translation",),
        "between the walk's read and the entry's arrival in the TLB",
        "s390 speculative TLB fill, H-32",
    ),
    Hazard.GENERATION_AFTER_MASK: _info(
        "the initiator reads pm_active first and zeroes the generations afterwards",
        ("translation",),
        "between the two, while a core switches in",
        "M1, H-15: FreeBSD-EN-22:04.pcid",
    ),
    Hazard.ZERO_AFTER_GRANT: _info(
        "ZERO makes the pages usable first and zeroes them afterwards",
        ("keep",),
        "between the grant and the zeroing",
        "M12 in shape; step 4 of the issue, read the wrong way round",
    ),
    Hazard.STEAL_WITHOUT_WAITING: _info(
        "the zeroing thread cedes a page while a chunk of its own is still in flight",
        ("keep",),
        "between the chunk's issue and its acknowledgement",
        "M10, H-47",
    ),
    Hazard.ZEROER_BEFORE_FLUSH: _info(
        "HOLE hands pages to the zeroing thread without waiting for the shootdown",
        ("translation",),
        "between the entry's removal and the last acknowledgement",
        "step 3 of the issue left out; H-48",
    ),
    Hazard.KNOWN_ZERO_WHILE_WRITABLE: _info(
        "a page zeroed in the background is believed zero although it stayed mapped writable",
        ("zero",),
        "between the background zeroing and ZERO",
        "M11, H-48: nwf's stores after the background zeroing",
    ),
    Hazard.FOREIGN_FRAME: _info(
        "a zero-fill fault trusts that a frame from the free list is zero",
        ("isolate",),
        "none: a second process that gets the frame",
        "PG_ZERO, D28805",
    ),
    Hazard.RESIDENT_SET_DRIFT: _info(
        "HOLE takes pages out of the resident set at each call, not only once",
        ("account",),
        "none: HOLE twice on one range",
        "rule 13; Go #29844 in effect",
    ),
    Hazard.NO_RESTART_AFTER_BUSY: _info(
        "after sleeping on a busy page, the operation goes on with what it saw before",
        ("translation", "isolate"),
        "between going to sleep on a busy page and waking up",
        "M6; vm_object_madvise's restart",
    ),
    Hazard.DAEMON_SKIPS_RECHECK: _info(
        "the page daemon frees a page that it took off the queue of holes without looking again",
        ("keep",),
        "between the two, with a ZERO in between",
        "M19",
    ),
    Hazard.HOOK_AFTER_EARLY_RETURN: _info(
        "a switch within an address space returns before it invalidates what was left to it, and "
        "counts as an occasion all the same",
        ("translation",),
        "a context switch between two threads of one process after a HOLE",
        "pmap_activate_sw returns early if the pmap stays; step 2 of the issue",
    ),
    Hazard.TIME_FOR_ACKNOWLEDGEMENT: _info(
        "once its deadline has passed, an invalidation that was left to other cores counts as done",
        ("translation",),
        "a core that does not switch before the deadline",
        "H-33: LATR frees pages after an elapsed time",
    ),
    Hazard.USER_BIT_ONLY: _info(
        "HOLE only clears the user bit of the entry: that stops user code but not the kernel, "
        "which reads and writes the page for a system call",
        ("fatal",),
        "a read(2) or write(2) on a hole, before or after the zeroing",
        "x86 ring 0 ignores U; Linux's PROT_NONE makes the entry not present instead",
    ),
    Hazard.CLAIM_WITHOUT_FENCE: _info(
        "ZERO reads the zeroing thread's claim word while its own is still in the store buffer",
        ("keep",),
        "between the store of its own word and the drain, while the thread begins a chunk",
        "M9, H-46; store buffering: Dekker's algorithm without its fence",
    ),
    Hazard.PAGE_OUT_BEFORE_ACKS: _info(
        "the page daemon has a page written to swap before its shootdown has completed",
        ("translation", "keep"),
        "between the write protection and the last acknowledgement, with a store in between",
        "H-7: Linux 1cf35d47712d, page_mkclean against an outstanding flush",
    ),
    Hazard.ZERO_KEEPS_SWAP: _info(
        "HOLE and ZERO discard what is resident and leave the copy in swap",
        ("zero",),
        "none: a page that was written to swap before HOLE",
        "M18, H-45: one of two copies is zeroed",
    ),
    Hazard.FREE_KEEPS_SWAP: _info(
        "MADV_FREE leaves the copy in swap, which is older than the page that it marks",
        ("fork",),
        "none: a page that was read back from swap and stored to",
        "H-10: Linux 9625456cc763",
    ),
    Hazard.HOLE_TO_SWAP: _info(
        "the page daemon writes the page of a hole to swap, from the laundry where HOLE found it",
        ("page-out",),
        "none: a dirty page in the laundry that HOLE makes part of a hole",
        "M19 in shape",
    ),
    Hazard.SLOT_FREED_IN_USE: _info(
        "a discard frees the slot from which a page is being read, without waiting",
        ("isolate",),
        "while the page-in is in flight",
        "H-45, M6",
    ),
    Hazard.COLLAPSE_IGNORES_SWAP: _info(
        "an object is collapsed into its shadow without looking at what the shadow has in swap",
        ("keep",),
        "none: a page of the shadow in swap, an older one of the object resident",
        "1.7: vm_object_collapse_scan asks vm_pager_has_page",
    ),
    Hazard.IGNORES_UNFLUSHED: _info(
        "an operation that finds an entry gone takes it as flushed, although the page daemon owes "
        "the flush",
        ("translation", "fork"),
        "between the page daemon's removal of the entry and its flush",
        "M5, H-4: Linux 3ea277194dae (flush_tlb_batched_pending)",
    ),
    Hazard.UNPIN_BEFORE_DMA_DONE: _info(
        "the pins are dropped when the device has the transfer, not when memory has all of it",
        ("translation", "isolate"),
        "between the device's start and the last acknowledgement of memory",
        "CVE-2022-0330 in effect: pages go back to the system while a device can still reach them",
    ),
    Hazard.HOLE_IGNORES_PINS: _info(
        "HOLE takes pages that a device has pinned",
        ("locked",),
        "a transfer in flight while its memory becomes a hole and is zeroed",
        "H-42, rule 3",
    ),
    Hazard.DMA_LEAVES_CLEAN: _info(
        "pins are dropped without noting that the device has stored: the page looks clean",
        ("zero", "clean"),
        "none: MADV_FREE or a page known to be zero, a transfer, then reclaim or HOLE",
        "vm_fault_quick_hold_pages, which calls vm_page_dirty; set_page_dirty_lock left out",
    ),
    Hazard.PINS_SEEN_AFTER_UNMAP: _info(
        "reclaim unmaps a page of MADV_FREE before it looks for pins, and cannot put it back",
        ("keep",),
        "a transfer to a clean page while memory is short",
        "M17, H-11: MADV_FREE against direct I/O (Linux 6c8e2a256915)",
    ),
    Hazard.SECOND_DOES_NOT_WAIT: _info(
        "of two discards of one range, the second finds nothing left and returns before the flush "
        "that the first still owes",
        ("translation", "zero"),
        "between the removal of the entries and the last acknowledgement",
        "M5, H-2, H-36: Linux 99baac21e458 (tlb_flush_pending)",
    ),
    Hazard.MOVE_BEFORE_FLUSH: _info(
        "mremap writes the entries at the new place and unlocks the map before it flushes the old",
        ("translation",),
        "between the unlock and the last acknowledgement, while the new place is unmapped",
        "H-1: CVE-2018-18281",
    ),
    Hazard.REPLACE_WITHOUT_FLUSH: _info(
        "copy on write replaces an entry without a shootdown: another thread keeps reading the old "
        "page",
        ("translation", "keep"),
        "none: a thread that has read, and another that then stores",
        "H-20: pmap_enter on a changed frame, CVE-2021-29626",
    ),
    Hazard.SWITCH_TAKES_INTERRUPTS: _info(
        "a core takes interrupts between reading its generation and setting curpmap, and finds "
        "that they concern a space that it does not run",
        ("translation",),
        "within a context switch",
        "H-16: pmap_activate_sw disables interrupts around the two",
    ),
    Hazard.GENERATION_BEFORE_BIT: _info(
        "a core that switches in reads its generation first and sets its bit in pm_active later",
        ("translation",),
        "between the two, while an initiator zeroes the generation and reads the mask",
        "H-17, rule 7: the core's side of the order that FreeBSD-EN-22:04.pcid had wrong",
    ),
    Hazard.COLLAPSE_TAKES_BUSY: _info(
        "collapse frees a page of the object below while a fault is copying it",
        ("translation",),
        "between the copy and the flush of the entry for the older page",
        "H-22: vm_object_collapse_scan waits for busy pages",
    ),
    Hazard.PIN_FORGETS_WRITE: _info(
        "a pin for stores has copied the page and looks again, this time for loads: if the copy is "
        "gone by then it takes the original",
        ("isolate",),
        "between the fault of the pin and the pin, with a discard in between",
        "H-13: CVE-2016-5195 (Dirty COW)",
    ),
    Hazard.FREE_CLEARS_WIRED: _info(
        "MADV_FREE clears the dirty bits of its whole range, and only then looks which pages it "
        "must leave alone",
        ("locked",),
        "none: a page with an older copy in swap that mlock holds meanwhile",
        "H-44: XNU clears the bits of a range before it skips pages of it",
    ),
    Hazard.CHECK_COMES_LATE: _info(
        "a call that is to do all or nothing (errors=strict) finds what it is not for only when it "
        "gets there: what lies before is done, and it fails",
        ("unchanged",),
        "none: a range that begins with memory that the call is for",
        "XNU vm_map_reusable_pages, which leaves done what precedes the entry that it refuses",
    ),
    Hazard.ZERO_KEEPS_MARK: _info(
        "ZERO leaves the mark of the hole on the range that it gives back: accesses stay fatal",
        ("usable",),
        "none: a hole, a ZERO, an access",
        "a flag that outlives what it was about, as MADV_WIPEONFORK's child once kept its hole",
    ),
    Hazard.PROTECT_WITHOUT_FLUSH: _info(
        "mprotect changes the page table and flushes no TLB: a thread that has the entry goes on",
        ("translation", "access"),
        "none: a thread that has stored, an mprotect by another, and a store after it",
        "an initiator that leaves the interrupts out, and tells nobody",
    ),
    Hazard.EXIT_LEAVES_SIBLINGS: _info(
        "exit_group and execve take the address space down without having ended the other threads",
        ("ended",),
        "none: a thread that knows of the exit, and calls mmap",
        "FreeBSD thread_single(SINGLE_EXIT), left out",
    ),
    Hazard.FLUSH_CLEARS_MARK: _info(
        "whoever makes a flush that the page daemon owed clears the mark of the whole address "
        "space when it is done, and so that of what the page daemon has taken meanwhile",
        ("translation", "fork"),
        "between the interrupts of that flush and its last acknowledgement",
        "H-4: Linux 5ee2fa2f0636 (flush_tlb_batched_pending)",
    ),
    Hazard.BROADCAST_WITHOUT_WAITING: _info(
        "a broadcast invalidation is issued and not waited for: frames are free while a core has "
        "not taken it in yet",
        ("translation",),
        "between TLBI and what its DSB would have waited for",
        "arm64 Linux 4b634918384c: a DSB after TLBI that was missing",
    ),
    Hazard.SWITCH_KEEPS_ENTRIES: _info(
        "a core that switches in finds its generation zero and loads the root all the same without "
        "flushing",
        ("translation",),
        "a shootdown while the core runs another address space",
        "the NOFLUSH bit of CR3, set for a PCID whose entries are old",
    ),
    Hazard.FAULT_WITHOUT_FENCE: _info(
        "after a fault a core does not fence off the absence that its TLB has cached: it faults on "
        "that again, and the kernel, which finds nothing to resolve, sends SIGSEGV",
        ("usable",),
        "none: a machine whose TLBs keep absences (machine.tlb_keeps_absence)",
        "RISC-V: update_mmu_cache fences locally, as entries that are not valid may be cached",
    ),
    Hazard.GUARD_WITHOUT_RESTART: _info(
        "MADV_GUARD_INSTALL puts its marker over an entry that a fault has entered since the zap, "
        "without zapping again: a core goes on using what its TLB has",
        ("translation",),
        "between the zap of a page and its marker, while another thread faults it in",
        "madvise_guard_install starts over when it finds an entry",
    ),
}


#: what users write: `free-before-acks`
_NAMES = {
    bit: name.lower().replace("_", "-")
    for name, bit in vars(Hazard).items()
    if isinstance(bit, int) and bit
}

CATALOGUE: dict[int, HazardInfo] = {h: HazardInfo(_NAMES[h], *about) for h, about in _ABOUT.items()}
BY_NAME: dict[str, int] = {info.name: h for h, info in CATALOGUE.items()}
