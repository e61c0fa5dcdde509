"""The whole protocol between the machines, on one screen.

A message's first docstring line reads `receiver <- sender: meaning`. Its first field `op` names the
operation in whose course it is sent: the guest thread (or kernel thread) that runs it. `op` is also
the lane: messages of one sender, one `op` and one receiver arrive in the order sent; all others may
overtake one another. What a protocol needs ordered beyond that it earns with an acknowledgement.

    guest access    core  Walk> vm  Translation|PageFault> core  Load|Store> memory  Loaded|Stored>
    page fault      core  Fault> vm  Allocate> memory  Frame> vm  ZeroFrames> core  ZeroChunk>
                    memory  ChunkZeroed> core  Step> vm  Resolved|Signal> core
    system call     core  Call> vm  ...  Return> core
    shootdown       vm  Shoot> initiator  Ipi> cores  IpiAck> initiator  Invalidated> vm
    zeroing         vm  ZeroJob> zeroer  Take> vm  Taken> zeroer  ZeroChunk> memory
                    ChunkZeroed> zeroer  PageZeroed> vm;   vm  Steal> zeroer  Ceded> vm
    reclaim         memory  Pressure> pagedaemon  Reclaim> vm  ...  Return> pagedaemon
    context switch  core  SwitchIn> vm (set own bit, then read the generation)  Switched> core
                    SwitchOut> vm (clear own bit)

The initiator of an operation is the machine that its kernel code runs on: a core, or a kernel
thread. `ns` in a message to an initiator is the kernel work that it shall charge to itself.
"""

from actors.message import LoadItem, Message, PageKey, StoreItem

# Guest accesses.


class Go(Message, frozen=True, tag=1):
    """core <- core: go on with the thread."""


class Walk(Message, frozen=True, tag=2):
    """vm <- core: the hardware walks the page table for an access."""

    asid: int
    vpn: int
    write: bool


class Translation(Message, frozen=True, tag=3):
    """core <- vm: the entry that the walk found; `ns`, `cause` if a fault was resolved first."""

    vpn: int
    pte: int
    ns: int
    cause: int


class PageFault(Message, frozen=True, tag=4):
    """core <- vm: the walk found no entry that permits the access."""

    vpn: int


class SetDirty(Message, frozen=True, tag=5):
    """vm <- core: a store goes through a cached entry whose dirty bit is clear."""

    asid: int
    vpn: int
    pfn: int


class Load(Message, frozen=True, tag=6):
    """memory <- core: read these granules."""

    asid: int
    items: tuple[LoadItem, ...]


class Loaded(Message, frozen=True, tag=7):
    """core <- memory: their contents (stamps), in order."""

    stamps: tuple[int, ...]


class Store(Message, frozen=True, tag=8):
    """memory <- core: the head of the store buffer is performed."""

    asid: int
    items: tuple[StoreItem, ...]


class Stored(Message, frozen=True, tag=9):
    """core <- memory: it is performed."""


class Drain(Message, frozen=True, tag=10):
    """core <- core: the store buffer may drain its head."""


# Operations of the kernel.


class Fault(Message, frozen=True, tag=11):
    """vm <- core: page-fault exception."""

    asid: int
    vpn: int
    write: bool


class Resolved(Message, frozen=True, tag=12):
    """core <- vm: the fault is resolved (`cause` says how): retry the access."""

    ns: int
    cause: int


class Signal(Message, frozen=True, tag=13):
    """core <- vm: the fault is fatal: SIGSEGV (`code` MAPERR or ACCERR) at `vpn`."""

    vpn: int
    code: int
    ns: int


class Call(Message, frozen=True, tag=14):
    """vm <- core: system call `kind` on bytes [va, va + length), instruction `index` of the thread.

    What `args` are depends on the kind: see `actors/guest/calls.py`.
    """

    index: int
    kind: int
    asid: int
    va: int
    length: int
    args: tuple[int, ...]


class Return(Message, frozen=True, tag=15):
    """core, pagedaemon <- vm: the operation is done."""

    error: int
    value: int
    ns: int


class Step(Message, frozen=True, tag=16):
    """vm <- vm, core, pagedaemon: the operation goes on."""


class Work(Message, frozen=True, tag=17):
    """core, pagedaemon <- vm: charge `ns` of kernel work, then send Step."""

    ns: int


class Sleep(Message, frozen=True, tag=18):
    """core <- vm: the operation sleeps (`why`, an OpState) until Wakeup."""

    why: int
    ns: int


class Wakeup(Message, frozen=True, tag=19):
    """core <- vm: the operation may go on: send Step when it runs again."""


class Shoot(Message, frozen=True, tag=20):
    """core, pagedaemon <- vm: invalidate these pages at `targets` and at oneself, then Invalidated.

    No pages means the whole address space.
    """

    round: int
    asid: int
    vpns: tuple[int, ...]
    targets: tuple[int, ...]
    ns: int


class Ipi(Message, frozen=True, tag=21):
    """core <- core, pagedaemon: inter-processor interrupt: invalidate, and acknowledge."""

    round: int
    asid: int
    vpns: tuple[int, ...]


class IpiAck(Message, frozen=True, tag=22):
    """core, pagedaemon <- core: no user instruction here will use the old entries any more."""

    round: int


class Flush(Message, frozen=True, tag=23):
    """core <- core: the second half of an interrupt that was acknowledged too early (a hazard)."""

    asid: int
    vpns: tuple[int, ...]


class Invalidated(Message, frozen=True, tag=24):
    """vm <- core, pagedaemon: every target of the round has acknowledged."""

    round: int


class Allocate(Message, frozen=True, tag=25):
    """memory <- vm: a frame, please."""


class Frame(Message, frozen=True, tag=26):
    """vm <- memory: the frame, and whether it is known to be zero."""

    pfn: int
    zeroed: bool


class Free(Message, frozen=True, tag=27):
    """memory <- vm: these frames are free; `zeroed` if known to be zero."""

    pfns: tuple[int, ...]
    zeroed: bool


class ZeroFrames(Message, frozen=True, tag=28):
    """core <- vm: zero these frames (pfn, chunks done), then Step."""

    frames: tuple[tuple[int, int], ...]
    ns: int


class ZeroChunk(Message, frozen=True, tag=29):
    """memory <- core, zeroer: zero chunk `chunk` of each frame."""

    pfns: tuple[int, ...]
    chunk: int


class ChunkZeroed(Message, frozen=True, tag=30):
    """core, zeroer <- memory: it is zero."""

    chunk: int


class Pressure(Message, frozen=True, tag=31):
    """pagedaemon <- memory: free frames are below the wake-up mark by `shortage` frames."""

    shortage: int


# The zeroing thread and the page daemon.


class ZeroJob(Message, frozen=True, tag=32):
    """zeroer <- vm: these pages of a hole may be zeroed."""

    keys: tuple[PageKey, ...]


class Take(Message, frozen=True, tag=33):
    """vm <- zeroer: may I have these pages now?"""

    keys: tuple[PageKey, ...]


class Taken(Message, frozen=True, tag=34):
    """zeroer <- vm: these of them (key, pfn), busy for you until PageZeroed or Ceded."""

    pages: tuple[tuple[PageKey, int], ...]


class PageZeroed(Message, frozen=True, tag=35):
    """vm <- zeroer: these pages are zero."""

    keys: tuple[PageKey, ...]


class Steal(Message, frozen=True, tag=36):
    """zeroer <- vm: give up these pages to operation `thief`, once your own chunks are done.

    Sent on the zeroing thread's own lane, so that it can not overtake the Taken of these pages.
    """

    thief: int
    keys: tuple[PageKey, ...]


class Ceded(Message, frozen=True, tag=37):
    """vm <- zeroer: they are yours, operation `thief`; (key, chunks done).

    Sent on the zeroing thread's own lane, so that it can not overtake a PageZeroed of these pages.
    """

    thief: int
    pages: tuple[tuple[PageKey, int], ...]


class Hint(Message, frozen=True, tag=38):
    """pagedaemon <- vm: these pages look reclaimable."""

    keys: tuple[PageKey, ...]


class Reclaim(Message, frozen=True, tag=39):
    """vm <- pagedaemon: reclaim these pages if they are still holes or free, and not held."""

    keys: tuple[PageKey, ...]


# Scheduling.


class SwitchIn(Message, frozen=True, tag=40):
    """vm <- core: set my bit in pm_active, then tell me whether my TLB entries are still good."""

    asid: int


class Switched(Message, frozen=True, tag=41):
    """core <- vm: bit set; `keep` if the generation says that cached entries are good."""

    keep: bool


class SwitchOut(Message, frozen=True, tag=42):
    """vm <- core: clear my bit in pm_active."""

    asid: int


class Spawn(Message, frozen=True, tag=43):
    """core <- core: start guest thread `thread`, which is bound to you."""

    thread: int


class AwaitIndex(Message, frozen=True, tag=44):
    """core <- core: tell me when your thread `thread` has finished instruction `index`."""

    thread: int
    index: int


class Reached(Message, frozen=True, tag=45):
    """core <- core: it has."""

    thread: int
    index: int


class Wake(Message, frozen=True, tag=46):
    """core <- core (timer): the thread has thought enough."""
