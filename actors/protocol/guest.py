"""What guest threads send and are sent: accesses, the store buffer, scheduling."""

from actors.message import LoadItem, Message, StoreItem


class Go(Message, frozen=True, tag=1):
    """core <- core: go on with the thread."""


class Walk(Message, frozen=True, tag=2):
    """vm <- core: the hardware walks the page table for an access, of user code or the kernel."""

    asid: int
    vpn: int
    write: bool
    kernel: bool


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
    kernel: bool


class Load(Message, frozen=True, tag=6):
    """memory <- core: read these granules."""

    asid: int
    items: tuple[LoadItem, ...]


class Loaded(Message, frozen=True, tag=7):
    """core, device <- memory: their contents (stamps), in order."""

    stamps: tuple[int, ...]


class Store(Message, frozen=True, tag=8):
    """memory <- core: the head of the store buffer is performed."""

    asid: int
    items: tuple[StoreItem, ...]


class Stored(Message, frozen=True, tag=9):
    """core, device <- memory: it is performed."""


class Drain(Message, frozen=True, tag=10):
    """core <- core: the store buffer may drain its head."""


class SwitchIn(Message, frozen=True, tag=40):
    """vm <- core: set my bit in pm_active, then tell me whether my TLB entries are still good."""

    asid: int


class Switched(Message, frozen=True, tag=41):
    """core <- vm: bit set; `keep` if the generation says that cached entries are good.

    Or good but for `vpns`, whose invalidation was left to the core; if `upto` is not 0 it answers
    CaughtUp.
    """

    asid: int
    keep: bool
    vpns: tuple[int, ...]
    upto: int


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


class Evict(Message, frozen=True, tag=96):
    """core <- core (timer): the TLB drops an entry. It has a lane of its own: no order holds."""

    asid: int
    vpn: int


class Tick(Message, frozen=True, tag=67):
    """core <- core (timer): the running thread's time slice is over."""


#: all messages of the family
GUEST: tuple[type[Message], ...] = (
    Go, Walk, Translation, PageFault, SetDirty, Load, Loaded, Store, Stored, Drain,
    SwitchIn, Switched, SwitchOut, Spawn, AwaitIndex, Reached, Wake, Evict, Tick,
)  # fmt: skip
