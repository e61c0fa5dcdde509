"""Numbers and names of Linux x86-64 in recordings of memory calls."""

from actors.guest.program import Prot

#: the lowest address that a program may map (vm.mmap_min_addr)
LOWEST_VA = 0x10000
#: one past the highest address of user memory
USER_VA_LIMIT = 1 << 47

PROT_READ = int(Prot.READ)
PROT_BITS = int(Prot.READ | Prot.WRITE | Prot.EXEC)

MAP_SHARED = 0x01
MAP_SHARED_VALIDATE = 0x03
MAP_TYPE = 0x0F
MAP_FIXED = 0x10
MAP_ANONYMOUS = 0x20
MAP_POPULATE = 0x8000
MAP_STACK = 0x20000

MREMAP_DONTUNMAP = 4

MADV_DONTNEED = 4
MADV_FREE = 8
MADV_POPULATE_WRITE = 23

#: failing return values are -4095 to -1, read as unsigned 64 bits
_ERRNO_LIMIT = 4096

NAMES = {
    "NULL": 0,
    "PROT_NONE": 0,
    "PROT_READ": 1,
    "PROT_WRITE": 2,
    "PROT_EXEC": 4,
    "PROT_GROWSDOWN": 0x01000000,
    "PROT_GROWSUP": 0x02000000,
    "MAP_SHARED": MAP_SHARED,
    "MAP_PRIVATE": 0x02,
    "MAP_SHARED_VALIDATE": MAP_SHARED_VALIDATE,
    "MAP_FIXED": MAP_FIXED,
    "MAP_ANONYMOUS": MAP_ANONYMOUS,
    "MAP_32BIT": 0x40,
    "MAP_GROWSDOWN": 0x100,
    "MAP_DENYWRITE": 0x800,
    "MAP_EXECUTABLE": 0x1000,
    "MAP_LOCKED": 0x2000,
    "MAP_NORESERVE": 0x4000,
    "MAP_POPULATE": MAP_POPULATE,
    "MAP_NONBLOCK": 0x10000,
    "MAP_STACK": MAP_STACK,
    "MAP_HUGETLB": 0x40000,
    "MAP_SYNC": 0x80000,
    "MAP_FIXED_NOREPLACE": 0x100000,
    "MREMAP_MAYMOVE": 1,
    "MREMAP_FIXED": 2,
    "MREMAP_DONTUNMAP": MREMAP_DONTUNMAP,
    "MADV_NORMAL": 0,
    "MADV_RANDOM": 1,
    "MADV_SEQUENTIAL": 2,
    "MADV_WILLNEED": 3,
    "MADV_DONTNEED": MADV_DONTNEED,
    "MADV_FREE": MADV_FREE,
    "MADV_REMOVE": 9,
    "MADV_DONTFORK": 10,
    "MADV_DOFORK": 11,
    "MADV_MERGEABLE": 12,
    "MADV_UNMERGEABLE": 13,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
    "MADV_DONTDUMP": 16,
    "MADV_DODUMP": 17,
    "MADV_WIPEONFORK": 18,
    "MADV_KEEPONFORK": 19,
    "MADV_COLD": 20,
    "MADV_PAGEOUT": 21,
    "MADV_POPULATE_READ": 22,
    "MADV_POPULATE_WRITE": MADV_POPULATE_WRITE,
    "MADV_DONTNEED_LOCKED": 24,
    "MADV_COLLAPSE": 25,
}

ADVICE_NAMES = {
    number: name.removeprefix("MADV_").lower()
    for name, number in NAMES.items()
    if name.startswith("MADV_")
}

#: memory system calls that are imported, and how many arguments their effect needs
ARGUMENTS = {
    "mmap": 4,
    "munmap": 2,
    "mprotect": 3,
    "pkey_mprotect": 3,
    "madvise": 3,
    "brk": 1,
    "mremap": 4,
}

#: calls whose effect is not modelled: counted only
UNSUPPORTED = frozenset(
    {
        "fallocate",
        "get_mempolicy",
        "map_shadow_stack",
        "mbind",
        "membarrier",
        "memfd_create",
        "memfd_secret",
        "migrate_pages",
        "mincore",
        "mlock",
        "mlock2",
        "mlockall",
        "move_pages",
        "mseal",
        "msync",
        "munlock",
        "munlockall",
        "pkey_alloc",
        "pkey_free",
        "process_madvise",
        "remap_file_pages",
        "set_mempolicy",
        "set_mempolicy_home_node",
        "shmat",
        "shmdt",
        "userfaultfd",
    }
)

MEMORY_CALLS = frozenset(ARGUMENTS) | UNSUPPORTED


def failed(value: int) -> bool:
    """Say whether a raw return value, read as unsigned 64 bits, is a negative errno."""
    return value >= (1 << 64) - _ERRNO_LIMIT


def flag_value(text: str) -> int:
    """Read an argument as strace prints it: `NULL`, `0x10`, `PROT_READ|PROT_WRITE`, `0x1f /* x */`.

    Raises:
        ValueError: it is none of these.
    """
    try:
        return int(text, 0)
    except ValueError:
        pass
    value = 0
    for word in text.split(" /*", 1)[0].split("|"):
        known = NAMES.get(word)
        value |= int(word, 0) if known is None else known
    return value
