"""One NUMA domain's memory: frames and their contents, free lists, water marks.

State, not a CPU: it performs what cores and kernel threads ask, in the order in which it comes, and
checks nothing: hardware does not know who owns a frame. Frames are handed out in order of their
number first, then as they were freed; known-zero frames are preferred.
"""

from collections import deque
from collections.abc import Hashable
from typing import ClassVar

from actors.facts import FramesInUse
from actors.machine import Effect, Handler, Machine, Note, Send
from actors.messages import (
    Allocate,
    AllocateNoWait,
    CancelAllocate,
    ChunkCopied,
    ChunkData,
    ChunkZeroed,
    CopyChunk,
    DmaLoad,
    DmaStore,
    FillFrame,
    Frame,
    FrameFilled,
    Free,
    Load,
    Loaded,
    LoadWords,
    NoFrame,
    Pressure,
    Store,
    Stored,
    StoreWords,
    WordsLoaded,
    WordsStored,
    ZeroChunk,
)
from actors.settings import DOMAIN_SHIFT, KERNEL_LANE, Settings
from kernel.frame import FrameContents, chunk_of, filled, junk
from kernel.policy import ReadFill
from kernel.stamp import ZERO
from kernel.units import CELL_MASK


class Memory(Machine):
    """Frames `domain << DOMAIN_SHIFT | n`, n below `settings.frames`."""

    ROLE = "memory"
    RECEIVES = (
        Load | Store | Allocate | AllocateNoWait | CancelAllocate | Free | ZeroChunk | CopyChunk
        | ChunkData | FillFrame | StoreWords | LoadWords | DmaStore | DmaLoad
    )  # fmt: skip

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a memory whose frames are all free and full of junk."""
        self.me = me
        self.settings = settings
        self.domain = settings.memories.index(me)
        self.contents: dict[int, FrameContents] = {}
        self.junk = junk(settings.chunks)
        if settings.policy.read_fill is ReadFill.ZERO_PAGE:
            frame = self.domain << DOMAIN_SHIFT | settings.frames
            self.contents[frame] = filled(settings.chunks, ZERO)
        #: claim words by (side, frame)
        self.words: dict[tuple[int, int], int] = {}
        #: frames never handed out yet: numbers from here on
        self.fresh = 0
        self.freed: deque[int] = deque()
        self.freed_zeroed: deque[int] = deque()
        #: allocations that wait for a frame: (vm, op)
        self.waiters: deque[tuple[int, int]] = deque()
        self.pressing = False

    def freeze(self) -> Hashable:
        """Give the canonical state."""
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

    def _fill(self, src: int, m: FillFrame) -> list[Effect]:
        self.contents[m.pfn] = filled(self.settings.chunks, m.contents)
        return [Send(src, FrameFilled(m.op))]

    def _allocate(self, src: int, m: Allocate) -> list[Effect]:
        out: list[Effect] = []
        self.waiters.append((src, m.op))
        self._serve(out)
        self._press(out)
        out.append(Note(FramesInUse(m.op, self.settings.frames - self.free_count())))
        return out

    def _allocate_no_wait(self, src: int, m: AllocateNoWait) -> list[Effect]:
        if self.waiters or not self.free_count():
            return [Send(src, NoFrame(m.op))]
        return self._allocate(src, Allocate(m.op))

    def _cancel(self, src: int, m: CancelAllocate) -> list[Effect]:
        if (src, m.op) not in self.waiters:
            return []
        self.waiters.remove((src, m.op))
        return [Send(src, NoFrame(m.op))]

    def _free(self, _src: int, m: Free) -> list[Effect]:
        out: list[Effect] = []
        (self.freed_zeroed if m.zeroed else self.freed).extend(m.pfns)
        self._serve(out)
        if self.free_count() >= self.settings.free_target:
            self.pressing = False
        self._press(out)
        out.append(Note(FramesInUse(m.op, self.settings.frames - self.free_count())))
        return out

    def _serve(self, out: list[Effect]) -> None:
        while self.waiters and self.free_count():
            vm, op = self.waiters.popleft()
            zeroed = bool(self.freed_zeroed)
            if zeroed:
                pfn = self.freed_zeroed.popleft()
            elif self.fresh < self.settings.frames:
                pfn = self.domain << DOMAIN_SHIFT | self.fresh
                self.fresh += 1
            else:
                pfn = self.freed.popleft()
            out.append(Send(vm, Frame(op, pfn, zeroed)))

    def _press(self, out: list[Effect]) -> None:
        """Wake the page daemon when free frames fall below the mark, once until the target."""
        if self.pressing or self.free_count() >= self.settings.free_wakeup:
            return
        self.pressing = True
        shortage = self.settings.free_target - self.free_count()
        daemon = self.settings.daemons[self.domain]
        out.append(Send(daemon, Pressure(KERNEL_LANE + self.me, shortage)))

    def _store_words(self, src: int, m: StoreWords) -> list[Effect]:
        for pfn, value in m.words:
            self.words[m.side, pfn] = value
        return [Send(src, WordsStored(m.op))]

    def _load_words(self, src: int, m: LoadWords) -> list[Effect]:
        values = tuple(self.words.get((m.side, pfn), 0) for pfn in m.pfns)
        return [Send(src, WordsLoaded(m.op, values))]

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Load: _load,
        Store: _store,
        DmaLoad: _load,
        DmaStore: _store,
        ZeroChunk: _zero,
        CopyChunk: _copy,
        ChunkData: _data,
        StoreWords: _store_words,
        LoadWords: _load_words,
        FillFrame: _fill,
        Allocate: _allocate,
        AllocateNoWait: _allocate_no_wait,
        CancelAllocate: _cancel,
        Free: _free,
    }
