"""What is known to go wrong elsewhere, and where to find it here: one row each, as data.

Rows are hazards H-1 to H-48, mutations M1 to M20 and rules 1 to 17; `seen_elsewhere.py` says where
each was seen, and SOURCES.md prints both. A test checks that what a row names exists. A script that
a MODELLED row names has another transcript where the code is made to do the wrong thing.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """How the model treats a row: see `KIND_ABOUT`."""

    HAZARD = "hazard"
    POLICY = "policy"
    MODELLED = "modelled"
    REVOCATION = "revocation"
    OUT_OF_SCOPE = "out of scope"


KIND_ABOUT: dict[Kind, str] = {
    Kind.HAZARD: "a switch shows it",
    Kind.POLICY: "no mistake: under these keys or presets the model does this, and it shows",
    Kind.MODELLED: "the machine handles it; a script in `tests/scripts` would change if not",
    Kind.REVOCATION: "comes with revocation, which this version lacks",
    Kind.OUT_OF_SCOPE: "the model lacks what it takes: the note says what",
}


class Row(msgspec.Struct, frozen=True):
    """One hazard, mutation or rule."""

    #: "H-15", "M1", "rule 13"
    name: str
    #: what goes wrong; for a rule, what has to hold
    what: str
    kind: Kind
    #: by kind: switches; keys with values and presets; or scripts
    shown_by: tuple[str, ...] = ()
    #: for a policy: the property that is broken, or the metric that shows it
    seen_in: str = ""
    note: str = ""


#: name: (what, switches, note)
_HAZARDS: dict[str, tuple[str, ...]] = {
    "H-1": (
        "A page is seen at mremap's new place before the old one is flushed.",
        "move-before-flush",
    ),
    "H-2": (
        "Of two calls on one range, the second finds nothing to do and does not wait.",
        "second-does-not-wait",
        "Two discards; for two HOLEs see table-second-hole-waits.",
    ),
    "H-4": (
        "Reclaim flushes a batch late; mprotect finds no entry and returns too soon.",
        "ignores-unflushed flush-clears-mark",
    ),
    "H-7": (
        "A page is cleaned before its flush: a store through an old entry leaves no mark.",
        "page-out-before-acks",
    ),
    "H-10": (
        "Dirty bit and mark change in two steps; the page is swapped out between them.",
        "free-keeps-swap",
        "In effect: both are one step here; what survives is the copy in swap.",
    ),
    "H-11": (
        "A clean page is unmapped, then found pinned; the device's stores are lost.",
        "pins-seen-after-unmap",
    ),
    "H-13": (
        "A pin for stores breaks copy on write, loses its copy, and takes the original.",
        "pin-forgets-write",
    ),
    "H-14": (
        "Memory is copied while a stale TLB entry still permits stores to the original.",
        "ignores-unflushed",
        "By a fork that meets the page daemon; there is no userfaultfd and no clear_refs.",
    ),
    "H-15": (
        "Generations are zeroed after the mask is read: a core switching in between keeps its TLB.",
        "generation-after-mask",
    ),
    "H-16": (
        "An interrupt comes between the new root and curpmap, and finds nothing to do.",
        "switch-takes-interrupts",
    ),
    "H-17": (
        "A CPU's bit in the mask and its switch come in the wrong order.",
        "generation-before-bit",
    ),
    "H-20": (
        "Copy on write replaces an entry; another thread goes on reading the old page.",
        "replace-without-flush",
    ),
    "H-22": (
        "A fault's copy counts too soon: collapse frees the page below while it is mapped.",
        "collapse-takes-busy",
    ),
    "H-30": (
        "A GPU's TLB still reaches pages that the kernel has again.",
        "unpin-before-dma-done",
        "In effect: a device has no TLB here; its pins stand for what it can reach.",
    ),
    "H-32": (
        "A CPU erratum: a walk fills the TLB after the invalidation that should have killed it.",
        "walk-survives-flush",
        "As on s390; the INVLPG errata need global entries, which do not exist here.",
    ),
    "H-33": ("Pages are freed when some time has passed.", "time-for-acknowledgement"),
    "H-36": ("A call that finds nothing to take away does not wait.", "second-does-not-wait"),
    "H-40": (
        "No mapping is listed, so a page counts as unmapped; its flush is still to come.",
        "ignores-unflushed free-before-acks",
        "In the first the page daemon does it, in the second whoever discards.",
    ),
    "H-41": ("An acknowledgement precedes its flush.", "ack-before-flush ack-overtakes-stores"),
    "H-42": ("The kernel or a device stores into a hole.", "hole-ignores-pins user-bit-only"),
    "H-44": (
        "Use is forgotten for a whole range before each page is looked at.",
        "free-clears-wired",
        "There busy pages lose it as well; here a page that mlock holds does.",
    ),
    "H-45": ("One of two copies is zeroed, not the other.", "zero-keeps-swap slot-freed-in-use"),
    "H-46": ("Both sides' words wait in store buffers, so both go on.", "claim-without-fence"),
    "H-47": (
        "Zeroing goes on after ZERO has returned, over what was stored since.",
        "steal-without-waiting zero-after-grant",
    ),
    "H-48": (
        "A page counts as zero although it could be stored to after the zeroing.",
        "known-zero-while-writable zeroer-before-flush",
    ),
    "M1": ("The generation is zeroed after the mask is read.", "generation-after-mask"),
    "M2": (
        "For want of a fence, the mask is read before the zeroed generation is visible.",
        "generation-after-mask",
        "The effective order is the same.",
    ),
    "M3": ("A page is free as soon as nothing maps it.", "ignores-unflushed free-before-acks"),
    "M4": ("Elapsed time serves as an acknowledgement.", "time-for-acknowledgement"),
    "M5": (
        "A second batch finds nothing left to do and does not flush.",
        "second-does-not-wait ignores-unflushed",
        "The first has two discards, the second a fork amid the page daemon's batch.",
    ),
    "M6": ("An operation that slept on a busy page does not look again.", "no-restart-after-busy"),
    "M9": ("Claim words are written and read without a fence.", "claim-without-fence"),
    "M10": ("A page is stolen in the middle of a chunk.", "steal-without-waiting"),
    "M11": ("A page that can be stored to is believed zero.", "known-zero-while-writable"),
    "M17": ("Pins are checked only after the page is unmapped.", "pins-seen-after-unmap"),
    "M18": ("ZERO leaves the copy in swap.", "zero-keeps-swap"),
    "M19": ("The daemon does not check again for a hole.", "daemon-skips-recheck hole-to-swap"),
    "M20": ("A step of user code fits between acknowledgement and flush.", "ack-before-flush"),
    "rule 1": ("An operation that slept on a busy page starts over.", "no-restart-after-busy"),
    "rule 3": (
        "A wired page stays out of a hole; one that moves to another object leaves it.",
        "hole-ignores-pins",
        "For the second half see M8.",
    ),
    "rule 4": (
        "Reclaim: busy, look again, spare wired pages, unmap, flush, and only then free.",
        "daemon-skips-recheck pins-seen-after-unmap ignores-unflushed",
    ),
    "rule 5": (
        "Only what no CPU and no device can store to is zeroed ahead.",
        "zeroer-before-flush known-zero-while-writable hole-ignores-pins",
    ),
    "rule 6": (
        "A core that never switches is interrupted in the end.",
        "time-for-acknowledgement",
        "With deadline_ns=0 it is not, and holds the pages back.",
    ),
    "rule 7": (
        "One side: generation, fence, mask. The other: mask, fence, generation.",
        "generation-after-mask generation-before-bit",
    ),
    "rule 8": (
        "A lock, or two words with a fence each, settles who zeroes; a chunk is waited for.",
        "steal-without-waiting claim-without-fence",
    ),
    "rule 9": ("ZERO discards every copy.", "zero-keeps-swap slot-freed-in-use"),
    "rule 10": ("A clean page of zeros may go, unless swap has a copy.", "zero-keeps-swap"),
    "rule 13": ("A page of a hole is taken out of the resident set once.", "resident-set-drift"),
}

#: name: (what, keys and presets, property or metric, note)
_POLICIES: dict[str, tuple[str, ...]] = {
    "H-25": (
        "MADV_FREE after a fork drops the younger copy, and an older one shows again.",
        "shadow_anon=rewind preset=madv-free-rewind",
        "fork",
    ),
    "H-34": (
        "A frame goes back to its own process, and the flush that was due is saved.",
        "zero_not_started=zero-then-repermit preset=deferred-tlb",
        "zero-strong",
        "Before anybody else gets the frame, it is flushed: table-deferred-dontneed.",
    ),
    "H-39": (
        "Cost: a MADV_FREE at each exec interrupted every CPU.",
        "preset=madv-free",
        "ipis",
        "Counted for every release; whether waiting for low memory pays is the reader's call.",
    ),
    "M7": ("MADV_FREE takes pages of a shadow object.", "shadow_anon=rewind", "fork"),
    "rule 2": (
        "Memory with an older copy below, or a second mapping, gets a new object instead.",
        "shadow_anon=rewind",
        "fork",
        "It drops the first of the two guards.",
    ),
}

#: name: (what, scripts, note)
_MODELLED: dict[str, tuple[str, ...]] = {
    "H-12": (
        "MADV_FREE's page is dropped although somebody has stored to it since.",
        "call-populate",
        "HOLE gives this up: a store after the call does not save the page.",
    ),
    "H-24": ("A file's page is freed although it is mapped or busy.", "call-remove"),
    "H-26": ("Write access goes, and the dirty bit with it.", "call-mprotect-keeps-dirty"),
    "H-28": (
        "A page is off the list but still marked as on it: it is handed out twice.",
        "table-asked-for-twice",
        "Pages of holes only: no free frame is zeroed ahead.",
    ),
    "H-31": ("The flush reaches no other CPU.", "table-deferred-dontneed"),
    "H-35": ("An entry outlives its page at a range's end.", "call-munmap-on-hole"),
    "M8": ("A page keeps its hole when it moves to another object.", "call-fork-hole"),
    "rule 11": (
        "After a fork, ZERO does not zero the frame that both share.",
        "claim-child-of-hole call-fork-hole",
    ),
    "rule 12": (
        "Every other call may meet a hole, or part of one.",
        "call-munmap-on-hole call-mprotect-on-hole call-mlock table-zero-part-of-hole",
    ),
    "rule 17": ("A ZERO that leaves something out says so.", "call-dma-hole call-mlock"),
}

#: name: what
_REVOCATION: dict[str, str] = {
    "H-37": "Nine mistakes in a revocation pass: stale cursors, epochs, flags, skipped pages.",
    "H-38": "Memory is zeroed before it is painted, and stored to in between.",
    "H-43": "A frame is zeroed, and a tag or a flag about tags survives.",
    "M12": "Zero first, then paint.",
    "M13": "One epoch too few is waited for.",
    "M14": "The load generation flips before the TLBs are flushed.",
    "M15": "A page is marked clean of capabilities by a plain store.",
    "M16": "The test for pages to be skipped is off by one.",
    "rule 14": "When an epoch opens, a hole's pages are zeroed and closed, gone, or swept.",
    "rule 15": "HOLE comes after painting, ZERO after the epoch.",
    "rule 16": "What a fault makes during an epoch is swept first, or known to hold nothing.",
}

#: name: (what, why not)
_OUT_OF_SCOPE: dict[str, tuple[str, str]] = {
    "H-3": (
        "A forced flush forgets that page-table pages were freed as well.",
        "Page tables take no pages; a flush names entries and nothing else.",
    ),
    "H-5": (
        "Migration takes an entry, flushes later; a discard finds none and skips the page.",
        "Pages do not migrate; what the page daemon has taken and not flushed is H-4.",
    ),
    "H-6": (
        "Migration flushes late: the page belongs to another by then.",
        "Pages do not migrate.",
    ),
    "H-8": (
        "A page-table page is freed before the shootdown: a walk reads its next contents.",
        "Page tables take no pages.",
    ),
    "H-9": (
        "An upper-level entry is cleared for a moment, and taken for empty.",
        "A page table has one level, and an entry changes in one step.",
    ),
    "H-18": (
        "A kernel thread works in a borrowed address space, and no flush reaches it.",
        "Kernel threads use frame numbers (a direct map); they borrow none.",
    ),
    "H-19": (
        "Address-space numbers run out while an idle CPU holds on to an old one.",
        "A number is never reused; a generation is one bit per CPU.",
    ),
    "H-21": (
        "Descendants share a copy above an ancestor's page; one's store leaves others stale.",
        "No call shares private memory with a child (INHERIT_SHARE); the fault's rule exists.",
    ),
    "H-23": ("A fault maps neighbours out of a split object.", "A fault maps one page."),
    "H-27": ("Promotion leaves the small entries in TLBs.", "There are no superpages."),
    "H-29": (
        "A software TLB handler walks a page-table page that is already freed.",
        "As H-8; walks are done by hardware.",
    ),
}


def _rows() -> Iterator[Row]:
    for name, (what, shown, *note) in _HAZARDS.items():
        yield Row(name, what, Kind.HAZARD, tuple(shown.split()), note=" ".join(note))
    for name, (what, shown, seen, *note) in _POLICIES.items():
        yield Row(name, what, Kind.POLICY, tuple(shown.split()), seen, " ".join(note))
    for name, (what, shown, *note) in _MODELLED.items():
        yield Row(name, what, Kind.MODELLED, tuple(shown.split()), note=" ".join(note))
    for name, what in _REVOCATION.items():
        yield Row(name, what, Kind.REVOCATION)
    for name, (what, why) in _OUT_OF_SCOPE.items():
        yield Row(name, what, Kind.OUT_OF_SCOPE, note=why)


def _place(row: Row) -> tuple[str, int]:
    letters = row.name.rstrip("0123456789")
    return letters, int(row.name.removeprefix(letters))


#: H-1 to H-48, M1 to M20, then the rules
TABLE: tuple[Row, ...] = tuple(sorted(_rows(), key=_place))


def counts(rows: Iterable[Row]) -> dict[Kind, int]:
    """Count rows by kind."""
    found = dict.fromkeys(Kind, 0)
    for row in rows:
        found[row.kind] += 1
    return found
