"""Where each row of the table of real bugs was seen: advisory, commit or report, as data.

SOURCES.md prints it. A row without an entry there is derived, and its text says from what.
"""

#: hazards: what was read is a commit message, an advisory, a report or the code, not always a patch
HAZARDS: dict[str, str] = {
    "H-1": "Linux eb66ae030829, CVE-2018-18281: mremap",
    "H-2": "Linux 99baac21e458: MADV_FREE and MADV_DONTNEED of one range (tlb_flush_pending)",
    "H-3": "Linux 7a30df49f63a, made possible by dd2283f2605e (munmap under the read lock)",
    "H-4": "Linux 3ea277194dae, 5ee2fa2f0636: mprotect against batched reclaim, and its mark lost",
    "H-5": "Linux 60bae73708963: migration against MADV_DONTNEED",
    "H-6": "Linux 20841405940e: migration against change_protection",
    "H-7": "Linux 1cf35d47712d: dirty bits collected before the flush, page_mkclean in between",
    "H-8": "Linux 706a1ea65e and others like it; FreeBSD on MIPS, see H-29",
    "H-9": "Linux ced108037c2a, 58ceeb6bec86, 024eee0e83f0: huge pages",
    "H-10": "Linux 9625456cc763: MADV_FREE against swap",
    "H-11": "Linux 6c8e2a256915 (M. Faria de Oliveira, 2022): MADV_FREE against direct reads",
    "H-12": "Linux 802a3a92ad7a: a page of MADV_FREE that is dirty again stays",
    "H-13": "CVE-2016-5195, Dirty COW: a write fault against MADV_DONTNEED",
    "H-14": "Linux, threads on userfaultfd write protection and clear_refs",
    "H-15": "FreeBSD-EN-22:04.pcid; r362031 made it, r368649 (3fd989da) mended it",
    "H-16": "FreeBSD pmap_activate_sw: its comment says why interrupts are off",
    "H-17": "OpenBSD 9f1181d5: bit of the active CPU against the switch",
    "H-18": "Linux 38cf307c1f20 (kthread_use_mm), cfbb1426bd76 (IA-64)",
    "H-19": "Linux 8678c1f04277 (Arm); the change logs of the AMD INVLPGB series [S1]",
    "H-20": "FreeBSD r329254, r335784, r336294; OpenBSD 43687ba5; Go issue 34988",
    "H-21": "CVE-2021-29626, FreeBSD-SA-21:08: shared mappings over an ancestor's memory",
    "H-22": "CheriBSD issues 2393 and 2419",
    "H-23": "FreeBSD r335171: fork against read-behind",
    "H-24": "FreeBSD 41bf90bb78: sendfile with SF_NOCACHE",
    "H-25": "FreeBSD bug 240061, r351830, D21517, r362631; CheriBSD pull request 327",
    "H-26": "FreeBSD bug 61852, 012f4aa2: fork and pmap_enter lose the dirty bit",
    "H-27": "FreeBSD a0f64f38a1: superpages",
    "H-28": "NetBSD bug 38989: idle zeroing against contiguous allocation",
    "H-29": "FreeBSD on MIPS, review of its TLB miss handler",
    "H-30": "CVE-2022-0330, Linux 7938d61591d3: i915",
    "H-31": "seL4 issue 107, coconut-svsm issue 1157, Zephyr issue 98344",
    "H-32": "Alder Lake's INVLPG erratum (FreeBSD pmap_invlpg); s390 and arm64 from memory",
    "H-33": "LATR's patch [S9]: pages are free after two seconds",
    "H-34": "Skip TLB flushes for reused pages within mmap's [S18]",
    "H-35": "XNU: CVE-2023-23536, CVE-2023-32434, CVE-2023-41974; causes from memory",
    "H-36": "CVE-2024-47674; CVE-2022-39188, from memory",
    "H-37": (
        "CheriBSD issues 1724, 1818, 1852, 1876, 1886, 1920, 1923, 1930, 1932, 1933, 1936, 2016, "
        "2076, 2162, 2221, 2252, 2339, 2368; pull requests 1003, 1072"
    ),
    "H-38": "CHERIoT-RTOS, allocator: its comment says why it paints first",
    "H-39": "FreeBSD r313756: exec_map, measured on 128 virtual CPUs",
    "H-40": "FreeBSD amd64 pmap: delayed invalidation (pmap_delayed_invl_wait)",
    "H-41": "FreeBSD invlop_handler, which is safe: it acknowledges before it invalidates",
    "H-42": "libublk-rs issue 49, an application's; for the kernel derived from its code",
    "H-43": "derived from CheriBSD's page flags",
    "H-44": "XNU deactivate_pages_in_object; that later code suffers is not established",
    "H-45": "derived from XNU vm_object_zero, which drops a compressed copy or zeroes the page",
    "H-46": "derived from XNU's deferred reclaim ring, which has the fence",
    "H-47": "derived from step 4 of the issue",
    "H-48": "the issue: nwf on stores made after the zeroing; FreeBSD's rule for PG_ZERO, D28805",
}

#: mutations: the hazard of the same mechanism, or what else they come from
MUTATIONS: dict[str, str] = {
    "M1": "H-15",
    "M2": "H-15",
    "M3": "H-40",
    "M4": "H-33",
    "M5": "H-2",
    "M6": "FreeBSD vm_object_madvise, vm_fault_busy_sleep: both start over",
    "M7": "H-25",
    "M8": "FreeBSD vm_page_rename: mappings stay, the page becomes dirty",
    "M9": "H-46",
    "M10": "H-47",
    "M11": "H-48",
    "M12": "H-38",
    "M13": "CheriBSD's epochs: a whole one has to begin after painting",
    "M14": "CheriBSD pmap_caploadgen_next: flush first, then flip",
    "M15": "H-37: CheriBSD pull request 1003",
    "M16": "H-37: CheriBSD issue 2339",
    "M17": "H-11",
    "M18": "H-45",
    "M19": "FreeBSD vm_pageout_scan_inactive: looks again once the page is busy",
    "M20": "H-41",
}

#: rules: the hazards and mutations that break them, or what else they come from
RULES: dict[str, str] = {
    "rule 1": "M6",
    "rule 2": "H-25, M7",
    "rule 3": "H-42, M8; XNU makes a reusable page ordinary before it wires it",
    "rule 4": "H-4, H-11, M17, M19",
    "rule 5": "H-42, H-48",
    "rule 6": "H-33",
    "rule 7": "H-15, H-17",
    "rule 8": "H-46, H-47",
    "rule 9": "H-45",
    "rule 10": "H-45",
    "rule 11": "the issue: markjdb and nwf on holes and fork",
    "rule 12": "H-2, H-12, H-36; recordings of real programs [S78]",
    "rule 13": "XNU's ledgers; Go issue 29844",
    "rule 14": "the issue: davidchisnall on the start of a revocation",
    "rule 15": "H-38; CheriBSD's clears()",
    "rule 16": "H-37: CheriBSD pull request 1072",
    "rule 17": "XNU, FreeBSD and MADV_ZERO, which answer in three ways",
}

SEEN: dict[str, str] = HAZARDS | MUTATIONS | RULES
