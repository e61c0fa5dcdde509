"""A core claims pages from the zeroing thread by words in memory (claim = dekker), for a ZERO.

    one page after the other: the own word goes through the store buffer; fence; read the thread's
    word; while the thread goes on with a chunk, read again

Either the thread sees the claim before it begins its next chunk, or the core sees that it has
begun: each has written before it reads. The fence is what makes that so on x86.

Owns the claims under way, by operation. Touches `buffer`, which the own words go through; reads
the address space of `running`. `actors/threads/zeroer.py` has the other half.
"""

from collections.abc import Hashable

from actors.core.running import Running
from actors.core.store_buffer import StoreBuffer
from actors.core.values import Buffered, WordClaim
from actors.machine import Effect, Send, Spend, Timer
from actors.messages import Claim, Claimed, LoadWords, Poll, WordsLoaded
from actors.settings import Settings
from kernel.claim_word import Side, chunks_done, thief_word
from kernel.hazards.switches import Hazard

_ZEROER = Side.ZEROER


class ClaimWords:
    """The thief's half of every claim."""

    __slots__ = ("buffer", "chunk_ns", "chunks", "running", "settings", "under_way")

    def __init__(self, settings: Settings, running: Running, buffer: StoreBuffer) -> None:
        """Begin with nothing claimed."""
        self.settings = settings
        self.running = running
        self.buffer = buffer
        self.under_way: dict[int, WordClaim] = {}
        self.chunks = settings.chunks
        self.chunk_ns = settings.costs.zero_page_ns // self.chunks

    def clone(self, running: Running, buffer: StoreBuffer) -> "ClaimWords":
        """Copy the container; the arguments are the twin's."""
        twin = ClaimWords(self.settings, running, buffer)
        twin.under_way = self.under_way.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.under_way.items()))

    def begin(self, src: int, m: Claim) -> list[Effect]:
        """Claim the first page."""
        out: list[Effect] = [Spend(m.ns)]
        self._next(m.op, WordClaim(src, m.claims), out)
        return out

    def _next(self, op: int, job: WordClaim, out: list[Effect]) -> None:
        if not job.todo:
            del self.under_way[op]
            out.append(Send(job.vm, Claimed(op, job.done)))
            return
        _, pfn, take = job.todo[0]
        self.under_way[op] = job
        self.buffer.push(Buffered(op, self.running.asid, words=((pfn, thief_word(take)),)), out)
        self.fence(out)

    def fence(self, out: list[Effect]) -> None:
        """Read the thread's word when the own one is written (with the hazard: at once)."""
        if self.buffer.entries and not self.settings.hazards & Hazard.CLAIM_WITHOUT_FENCE:
            return
        for op, job in self.under_way.items():
            if not job.fenced:
                self.under_way[op] = WordClaim(job.vm, job.todo, job.done, fenced=True)
                self._read_word(op, job, out)

    def _read_word(self, op: int, job: WordClaim, out: list[Effect]) -> None:
        pfn = job.todo[0][1]
        out.append(Send(self.settings.memory_of(pfn), LoadWords(op, _ZEROER, (pfn,))))

    def words_loaded(self, m: WordsLoaded) -> list[Effect]:
        """Go on with the next page, or read again while the thread is at a chunk."""
        job = self.under_way[m.op]
        key, _, take = job.todo[0]
        done = chunks_done(m.values[0], take, self.chunks)
        if done < 0:
            return [Timer(self.chunk_ns, Poll(m.op))]
        out: list[Effect] = []
        self._next(m.op, WordClaim(job.vm, job.todo[1:], (*job.done, (key, done))), out)
        return out

    def poll(self, m: Poll) -> list[Effect]:
        """Read the thread's word again."""
        out: list[Effect] = []
        self._read_word(m.op, self.under_way[m.op], out)
        return out
