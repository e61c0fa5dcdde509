"""The zeroing thread: low-priority kernel thread that zeroes the pages of holes.

    ZeroJob -> queue;  Take -> Taken (busy for us);  group by group: chunk -> acknowledged;
    PageZeroed.  A Steal is answered when our own chunk in flight is acknowledged.

It zeroes a page only while it holds it busy, and never starts a chunk of a page that it gave up.
Source: issue 1318 (davidchisnall's steps 3 and 4); SOURCES.md H-47 (late write of a zeroer).
"""

from collections import deque
from collections.abc import Hashable

from actors.machine import Effect, Send, Spend, Timer
from actors.message import PageKey
from actors.messages import (
    Ceded,
    ChunkZeroed,
    Deadline,
    LoadWords,
    Overdue,
    PageZeroed,
    Return,
    Steal,
    StoreWords,
    Take,
    Taken,
    Watch,
    WordsLoaded,
    WordsStored,
    ZeroChunk,
    ZeroJob,
)
from actors.settings import Settings
from actors.threads.kernel_thread import KernelThread
from kernel.claim_word import Side, Work, thief_word, zeroer_word
from kernel.hazards.switches import Hazard

#: (key, pfn)
HeldPage = tuple[PageKey, int]


class Zeroer(KernelThread):
    """One batch in hand at a time: `hand` still to do, `group` under way at chunk `chunk`."""

    ROLE = "zeroer"
    RECEIVES = (
        KernelThread.RECEIVES | ZeroJob | Taken | ChunkZeroed | Steal | Watch | Deadline | Return
        | WordsStored | WordsLoaded
    )  # fmt: skip

    def __init__(self, me: int, settings: Settings) -> None:
        """Make an idle zeroing thread."""
        super().__init__(me, settings)
        self.queue: deque[tuple[int, PageKey]] = deque()
        self.asking = False
        #: vm that the batch in hand belongs to
        self.vm = -1
        self.hand: deque[HeldPage] = deque()
        self.group: tuple[HeldPage, ...] = ()
        self.chunk = 0
        self.in_flight = False
        #: take that the pages in hand are of (claim = dekker)
        self.take = 0
        #: words that are being written
        self.saying: deque[Work] = deque()
        #: steals that wait for the chunk in flight: (op, keys)
        self.steals: deque[tuple[int, int, tuple[PageKey, ...]]] = deque()
        #: invalidations left to other cores: by vm, the last one watched, and the last of those
        #: that are late when the timer fires
        self.watched: dict[int, tuple[int, int]] = {}
        self.armed = False
        #: vms whose late invalidations are to be dealt with; the first is under way
        self.late: tuple[tuple[int, int], ...] = ()

    def clone(self) -> "Zeroer":
        """Copy the containers; the values in them are immutable and shared."""
        twin = Zeroer(self.me, self.settings)
        twin.rounds = self.rounds.clone()
        twin.queue, twin.asking, twin.vm = self.queue.copy(), self.asking, self.vm
        twin.hand, twin.group = self.hand.copy(), self.group
        twin.chunk, twin.in_flight = self.chunk, self.in_flight
        twin.take, twin.saying = self.take, self.saying.copy()
        twin.steals = self.steals.copy()
        twin.watched, twin.armed, twin.late = self.watched.copy(), self.armed, self.late
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            tuple(self.queue),
            self.asking,
            self.vm,
            tuple(self.hand),
            self.group,
            self.chunk,
            self.in_flight,
            self.take,
            tuple(self.saying),
            tuple(self.steals),
            tuple(sorted(self.watched.items())),
            self.armed,
            self.late,
            super().freeze(),
        )

    def waiting(self) -> list[str]:
        """Name work that is not done."""
        if self.late:
            return ["late invalidations are seen to"]
        if self.asking or self.hand or self.group or self.queue or self.steals:
            return [f"{len(self.queue)} pages queued, {len(self.hand) + len(self.group)} in hand"]
        return []

    def _job(self, src: int, m: ZeroJob) -> list[Effect]:
        self.queue.extend((src, key) for key in m.keys)
        return self._ask()

    def _ask(self) -> list[Effect]:
        """Ask for the next batch, of one vm, when nothing is in hand."""
        if self.asking or self.in_flight or self.hand or not self.queue:
            return []
        vm = self.queue[0][0]
        keys: list[PageKey] = []
        while self.queue and self.queue[0][0] == vm and len(keys) < self.settings.zero_batch:
            keys.append(self.queue.popleft()[1])
        self.asking, self.vm = True, vm
        return [Send(vm, Take(self.lane, tuple(keys)))]

    def _taken(self, _src: int, m: Taken) -> list[Effect]:
        self.asking = False
        self.hand.extend(m.pages)
        self.take = m.take
        return self._group()

    def _group(self) -> list[Effect]:
        """Start the next group of pages, all of one memory."""
        if self.in_flight or not self.hand:
            return self._ask()
        group = [self.hand.popleft()]
        memory_of = self.settings.memory_of
        memory = memory_of(group[0][1])
        most = 1 if self.settings.fine else self.settings.zero_group
        while self.hand and len(group) < most and memory_of(self.hand[0][1]) == memory:
            group.append(self.hand.popleft())
        self.group, self.chunk = tuple(group), 0
        return self._next_chunk()

    def _next_chunk(self) -> list[Effect]:
        """Begin a chunk of the group; where words claim pages, write and read those first."""
        self.in_flight = True
        return self._say(self.group, Work.GOES_ON) if self.take else self._zero_chunk()

    def _say(self, pages: tuple[HeldPage, ...], work: Work) -> list[Effect]:
        """Write the words of pages of one memory."""
        self.saying.append(work)
        value = zeroer_word(self.take, self.chunk, work)
        words = tuple((pfn, value) for _, pfn in pages)
        memory = self.settings.memory_of(words[0][0])
        return [Send(memory, StoreWords(self.lane, Side.ZEROER, words))]

    def _words_stored(self, _src: int, _m: WordsStored) -> list[Effect]:
        """Look whether a ZERO claims the pages, now that the own words are written."""
        if self.saying.popleft() is not Work.GOES_ON:
            return []
        pfns = tuple(pfn for _, pfn in self.group)
        memory = self.settings.memory_of(pfns[0])
        return [Send(memory, LoadWords(self.lane, Side.THIEF, pfns))]

    def _words_loaded(self, _src: int, m: WordsLoaded) -> list[Effect]:
        """Stop with pages that a ZERO claims, and write how far they are; it reads that."""
        wanted = thief_word(self.take)
        pairs = list(zip(self.group, m.values, strict=True))
        claimed = tuple(page for page, value in pairs if value == wanted)
        self.group = tuple(page for page, value in pairs if value != wanted)
        if self.group:
            return [*(self._say(claimed, Work.STOPPED) if claimed else []), *self._zero_chunk()]
        self.in_flight = False
        return [*self._say(claimed, Work.STOPPED), *self._group()]

    def _zero_chunk(self) -> list[Effect]:
        pfns = tuple(pfn for _, pfn in self.group)
        page_ns = self.settings.costs.zero_page_ns // self.settings.chunks
        return [
            Spend(page_ns * len(pfns)),
            Send(self.settings.memory_of(pfns[0]), ZeroChunk(self.lane, pfns, self.chunk)),
        ]

    def _chunk_zeroed(self, _src: int, _m: ChunkZeroed) -> list[Effect]:
        self.chunk += 1
        self.in_flight = False
        out: list[Effect] = []
        steals, self.steals = self.steals, deque()
        for src, op, keys in steals:
            self._cede(src, op, keys, out)
        if self.group and self.chunk < self.settings.chunks:
            return out + self._next_chunk()
        if self.group:
            if self.take:
                out += self._say(self.group, Work.DONE)
            keys = tuple(key for key, _ in self.group)
            out.append(Send(self.vm, PageZeroed(self.lane, keys)))
        self.group = ()
        return out + self._group()

    def _steal(self, src: int, m: Steal) -> list[Effect]:
        """Give pages up, but not before a chunk in flight that touches them is acknowledged."""
        busy = {key for key, _ in self.group}
        careless = self.settings.hazards & Hazard.STEAL_WITHOUT_WAITING
        if busy.intersection(m.keys) and not careless:
            self.steals.append((src, m.thief, m.keys))
            return []
        out: list[Effect] = []
        self._cede(src, m.thief, m.keys, out)
        return out

    def _cede(self, src: int, op: int, keys: tuple[PageKey, ...], out: list[Effect]) -> None:
        """Report the chunks done of each page; a page no longer in hand was reported as zeroed."""
        under_way = {key for key, _ in self.group}
        waiting = {key for key, _ in self.hand}
        done = tuple(
            (key, self.chunk if key in under_way else 0 if key in waiting else self.settings.chunks)
            for key in keys
        )
        gone = set(keys)
        self.hand = deque(page for page in self.hand if page[0] not in gone)
        self.group = tuple(page for page in self.group if page[0] not in gone)
        out.append(Send(src, Ceded(self.lane, op, done)))

    # Invalidations that were left to other cores, and have not been done when their time is up.

    def _watch(self, src: int, m: Watch) -> list[Effect]:
        _, upto = self.watched.get(src, (0, 0))
        self.watched[src] = (m.number, upto)
        return self._arm()

    def _arm(self) -> list[Effect]:
        """Arm the timer for all that is watched now; what comes later waits for the next one."""
        if self.armed or not self.watched:
            return []
        self.armed = True
        self.watched = {vm: (last, last) for vm, (last, _) in self.watched.items()}
        return [Timer(self.settings.policy.deadline_ns, Deadline(self.lane))]

    def _deadline(self, _src: int, _m: Deadline) -> list[Effect]:
        self.armed = False
        due = tuple((vm, upto) for vm, (_, upto) in sorted(self.watched.items()) if upto)
        self.watched = {vm: (last, 0) for vm, (last, upto) in self.watched.items() if last > upto}
        idle = not self.late
        self.late += due
        return [*(self._see_to_next() if idle else []), *self._arm()]

    def _see_to_next(self) -> list[Effect]:
        if not self.late:
            return []
        vm, upto = self.late[0]
        return [Send(vm, Overdue(self.lane, upto))]

    def _return(self, _src: int, m: Return) -> list[Effect]:
        self.late = self.late[1:]
        return [Spend(m.ns), *self._see_to_next()]


Zeroer.HANDLERS = {
    **KernelThread.HANDLERS,
    ZeroJob: Zeroer._job,
    Taken: Zeroer._taken,
    ChunkZeroed: Zeroer._chunk_zeroed,
    Steal: Zeroer._steal,
    WordsStored: Zeroer._words_stored,
    WordsLoaded: Zeroer._words_loaded,
    Watch: Zeroer._watch,
    Deadline: Zeroer._deadline,
    Return: Zeroer._return,
}
