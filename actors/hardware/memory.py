"""One NUMA domain's memory: frames and their contents, free lists, water marks.

State, not a CPU: it performs what cores and kernel threads ask, in the order in which it comes, and
checks nothing: hardware does not know who owns a frame. Frames are handed out in order of their
number first, then as they were freed; known-zero frames are preferred.
"""

from collections import deque
from collections.abc import Hashable

from actors.facts import FramesInUse
from actors.machine import Effect, Machine, Note, Send
from actors.messages import (
    Allocate,
    AwaitFrames,
    ChunkCopied,
    ChunkData,
    ChunkZeroed,
    CopyChunk,
    DmaLoad,
    DmaStore,
    FillFrame,
    Frame,
    FrameFilled,
    FramesFree,
    Free,
    GaveUp,
    Load,
    Loaded,
    LoadWords,
    NoFrame,
    PagedIn,
    PageOut,
    PassEnded,
    Pressure,
    Store,
    Stored,
    StoreWords,
    SwapData,
    SwapWrite,
    WordsLoaded,
    WordsStored,
    ZeroChunk,
)
from actors.settings import DOMAIN_SHIFT, KERNEL_LANE, Settings
from kernel.frame import FrameContents, chunk_of, filled, junk
from kernel.stamp import ZERO
from kernel.units import CELL_MASK


class Memory(Machine):
    """Frames `domain << DOMAIN_SHIFT | n`, n below `settings.frames`."""

    ROLE = "memory"
    RECEIVES = (
        Load | Store | Allocate | AwaitFrames | GaveUp | Free | ZeroChunk | CopyChunk | ChunkData
        | FillFrame | PassEnded | PageOut | SwapData | StoreWords | LoadWords | DmaStore | DmaLoad
    )  # fmt: skip

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a memory whose frames are all free and full of junk."""
        self.me = me
        self.settings = settings
        self.domain = settings.memories.index(me)
        self.contents: dict[int, FrameContents] = {}
        self.junk = junk(settings.chunks)
        if settings.has_zero_page:
            frame = self.domain << DOMAIN_SHIFT | settings.frames
            self.contents[frame] = filled(settings.chunks, ZERO)
        #: claim words by (side, frame)
        self.words: dict[tuple[int, int], int] = {}
        #: frames never handed out yet: numbers from here on
        self.fresh = 0
        self.freed: deque[int] = deque()
        self.freed_zeroed: deque[int] = deque()
        #: operations that sleep until frames are free: (vm, op)
        self.waiters: deque[tuple[int, int]] = deque()
        #: the page daemon is awake
        self.pressing = False

    def clone(self) -> "Memory":
        """Copy the containers; the values in them are immutable and shared."""
        twin = Memory(self.me, self.settings)
        twin.contents = self.contents.copy()
        twin.words = self.words.copy()
        twin.fresh = self.fresh
        twin.freed, twin.freed_zeroed = self.freed.copy(), self.freed_zeroed.copy()
        twin.waiters = self.waiters.copy()
        twin.pressing = self.pressing
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple(
                (pfn, c.bases, tuple(sorted(c.cells.items())))
                for pfn, c in sorted(self.contents.items())
            ),
            tuple(sorted(self.words.items())),
            self.fresh,
            tuple(self.freed),
            tuple(self.freed_zeroed),
            tuple(self.waiters),
            self.pressing,
        )

    def waiting(self) -> list[str]:
        """Name allocations that wait for a frame."""
        return [f"lane {op} of vm {vm} waits for a frame: out of memory" for vm, op in self.waiters]

    def free_count(self) -> int:
        """Count free frames."""
        return self.settings.frames - self.fresh + len(self.freed) + len(self.freed_zeroed)

    def _load(self, src: int, m: Load | DmaLoad) -> list[Effect]:
        contents, none = self.contents, self.junk
        stamps = tuple(contents.get(pfn, none).read(cell & CELL_MASK) for cell, pfn in m.items)
        return [Send(src, Loaded(m.op, stamps))]

    def _store(self, src: int, m: Store | DmaStore) -> list[Effect]:
        contents = self.contents
        items = m.items
        at = 0
        while at < len(items):
            pfn = items[at][1]
            end = at + 1
            while end < len(items) and items[end][1] == pfn:
                end += 1
            frame = contents.get(pfn, self.junk)
            contents[pfn] = frame.written((cell, version) for cell, _, version in items[at:end])
            at = end
        return [Send(src, Stored(m.op))]

    def _zero(self, src: int, m: ZeroChunk) -> list[Effect]:
        for pfn in m.pfns:
            self.contents[pfn] = self.contents.get(pfn, self.junk).zeroed(m.chunk)
        return [Send(src, ChunkZeroed(m.op, m.chunk))]

    def _copy(self, src: int, m: CopyChunk) -> list[Effect]:
        base, cells = chunk_of(self.contents.get(m.src, self.junk), m.chunk)
        to = self.settings.memory_of(m.dst)
        if to != self.me:
            return [Send(to, ChunkData(m.op, m.dst, m.chunk, base, cells, src))]
        return self._put(src, m.op, m.dst, m.chunk, base, cells)

    def _data(self, _src: int, m: ChunkData) -> list[Effect]:
        return self._put(m.initiator, m.op, m.dst, m.chunk, m.base, m.cells)

    def _put(
        self, to: int, op: int, pfn: int, chunk: int, base: int, cells: tuple[tuple[int, int], ...]
    ) -> list[Effect]:
        old = self.contents.get(pfn, self.junk)
        self.contents[pfn] = old.with_chunk(chunk, base, cells)
        return [Send(to, ChunkCopied(op, chunk))]

    def _page_out(self, src: int, m: PageOut) -> list[Effect]:
        """Read frames for the swap device."""
        pages = []
        for pfn, slot in zip(m.pfns, m.slots, strict=True):
            found = self.contents.get(pfn, self.junk)
            pages.append((slot, found.bases, tuple(sorted(found.cells.items()))))
        (swap,) = self.settings.swaps
        return [Send(swap, SwapWrite(m.op, src, tuple(pages)))]

    def _swap_data(self, _src: int, m: SwapData) -> list[Effect]:
        self.contents[m.pfn] = FrameContents(m.bases, dict(m.cells))
        return [Send(m.vm, PagedIn(m.op))]

    def _fill(self, src: int, m: FillFrame) -> list[Effect]:
        self.contents[m.pfn] = filled(self.settings.chunks, m.contents)
        return [Send(src, FrameFilled(m.op))]

    def _allocate(self, src: int, m: Allocate) -> list[Effect]:
        out: list[Effect] = []
        if self.free_count() > self.settings.marks.reserved:
            pfn, zeroed = self._take_frame()
            out.append(Send(src, Frame(m.op, pfn, zeroed)))
        else:
            out.append(Send(src, NoFrame(m.op)))
        self._press(out)
        out.append(Note(FramesInUse(m.op, self.settings.frames - self.free_count())))
        return out

    def _await_frames(self, src: int, m: AwaitFrames) -> list[Effect]:
        """Note who sleeps; wake it at once if frames have become free meanwhile."""
        out: list[Effect] = []
        self.waiters.append((src, m.op))
        self._wake_waiters(out)
        self._press(out)
        return out

    def _free(self, _src: int, m: Free) -> list[Effect]:
        out: list[Effect] = []
        (self.freed_zeroed if m.zeroed else self.freed).extend(m.pfns)
        self._wake_waiters(out)
        out.append(Note(FramesInUse(m.op, self.settings.frames - self.free_count())))
        return out

    def _take_frame(self) -> tuple[int, bool]:
        """Take a frame off the lists; say whether it is known to be zero."""
        if self.freed_zeroed:
            return self.freed_zeroed.popleft(), True
        if self.fresh < self.settings.frames:
            self.fresh += 1
            return self.domain << DOMAIN_SHIFT | self.fresh - 1, False
        return self.freed.popleft(), False

    def _wake_waiters(self, out: list[Effect]) -> None:
        """Wake all that sleep once there are frames enough; they allocate anew, who comes first.

        Source: FreeBSD vm_domain_clear; vm_wait.
        """
        marks = self.settings.marks
        if self.free_count() >= max(marks.minimum, marks.reserved + 1):
            out.extend(Send(vm, FramesFree(op)) for vm, op in self.waiters)
            self.waiters.clear()

    def _press(self, out: list[Effect]) -> None:
        """Wake the page daemon when free frames are below the mark and it sleeps."""
        if self.pressing or (self.free_count() >= self.settings.marks.wakeup and not self.waiters):
            return
        self.pressing = True
        out.append(Send(self.settings.daemons[self.domain], self._pressure()))

    def _pressure(self) -> Pressure:
        free = self.free_count()
        short = self.settings.marks.target - free
        # somebody waits: however many are free, it is not enough
        short = max(short, 1 if self.waiters else 0)
        return Pressure(KERNEL_LANE + self.me, short, len(self.waiters), free)

    def _pass_ended(self, src: int, m: PassEnded) -> list[Effect]:
        """Say how short frames are now; the page daemon sleeps if it cannot or need not help."""
        if m.gives_up:
            self.pressing = False
            return []
        pressure = self._pressure()
        self.pressing = bool(self.waiters) or (pressure.shortage > 0 and not m.in_vain)
        if not self.pressing:
            pressure = Pressure(pressure.op, 0, 0, pressure.free)
        return [Send(src, pressure)]

    def _gave_up(self, src: int, m: GaveUp) -> list[Effect]:
        """Forget an operation that does not wait any more, if it has not been woken yet."""
        self.waiters = deque(one for one in self.waiters if one != (src, m.op))
        return []

    def _store_words(self, src: int, m: StoreWords) -> list[Effect]:
        for pfn, value in m.words:
            self.words[m.side, pfn] = value
        return [Send(src, WordsStored(m.op))]

    def _load_words(self, src: int, m: LoadWords) -> list[Effect]:
        values = tuple(self.words.get((m.side, pfn), 0) for pfn in m.pfns)
        return [Send(src, WordsLoaded(m.op, values))]


Memory.HANDLERS = {
    Load: Memory._load,
    Store: Memory._store,
    DmaLoad: Memory._load,
    DmaStore: Memory._store,
    ZeroChunk: Memory._zero,
    CopyChunk: Memory._copy,
    ChunkData: Memory._data,
    PageOut: Memory._page_out,
    SwapData: Memory._swap_data,
    PassEnded: Memory._pass_ended,
    GaveUp: Memory._gave_up,
    StoreWords: Memory._store_words,
    LoadWords: Memory._load_words,
    FillFrame: Memory._fill,
    Allocate: Memory._allocate,
    AwaitFrames: Memory._await_frames,
    Free: Memory._free,
}
