"""A core claims pages from the zeroing thread by words in memory (claim = dekker), for a ZERO.

    one page after the other: the own word goes through the store buffer; fence; read the thread's
    word; while the thread goes on with a chunk, read again

Either the thread sees the claim before it begins its next chunk, or the core sees that it has
begun: each has written before it reads. The fence is what makes that so on x86.
"""

import msgspec

from actors.core.kernel_work import CoreKernel
from actors.core.state import Buffered
from actors.machine import Effect, Send, Spend, Timer
from actors.message import PageKey
from actors.messages import Claim, Claimed, LoadWords, Poll, WordsLoaded
from kernel.claim_word import Side, chunks_done, thief_word
from kernel.hazards.switches import Hazard


class Claiming(msgspec.Struct, frozen=True, gc=False):
    """Pages that are still to claim, the first is under way, and those that are."""

    vm: int
    todo: tuple[tuple[PageKey, int, int], ...]
    done: tuple[tuple[PageKey, int], ...] = ()
    #: the own word is written, as far as the fence tells
    fenced: bool = False


class CoreClaim(CoreKernel):
    """The thief's half; `actors/threads/zeroer.py` has the other."""

    def claim(self, src: int, m: Claim) -> list[Effect]:
        """Begin with the first page."""
        out: list[Effect] = [Spend(m.ns)]
        self._claim_next(m.op, Claiming(src, m.claims), out)
        return out

    def _claim_next(self, op: int, job: Claiming, out: list[Effect]) -> None:
        if not job.todo:
            del self.claiming[op]
            out.append(Send(job.vm, Claimed(op, job.done)))
            return
        _, pfn, take = job.todo[0]
        self.claiming[op] = job
        self.push(Buffered(op, self.asid, words=((pfn, thief_word(take)),)), out)
        self.claim_fence(out)

    def claim_fence(self, out: list[Effect]) -> None:
        """Read the thread's word when the own one is written (with the hazard: at once)."""
        careless = self.settings.hazards & Hazard.CLAIM_WITHOUT_FENCE
        for op, job in self.claiming.items():
            if not job.fenced and (careless or not self.buffer):
                self.claiming[op] = msgspec.structs.replace(job, fenced=True)
                self._read_word(op, job, out)

    def _read_word(self, op: int, job: Claiming, out: list[Effect]) -> None:
        pfn = job.todo[0][1]
        out.append(Send(self.settings.memory_of(pfn), LoadWords(op, Side.ZEROER, (pfn,))))

    def words_loaded(self, _src: int, m: WordsLoaded) -> list[Effect]:
        """Go on with the next page, or read again while the thread is at a chunk."""
        out: list[Effect] = []
        job = self.claiming[m.op]
        key, _, take = job.todo[0]
        done = chunks_done(m.values[0], take, self.chunks)
        if done < 0:
            return [Timer(self.chunk_ns, Poll(m.op))]
        after = Claiming(job.vm, job.todo[1:], (*job.done, (key, done)))
        self._claim_next(m.op, after, out)
        return out

    def poll(self, _src: int, m: Poll) -> list[Effect]:
        """Read the thread's word again."""
        out: list[Effect] = []
        self._read_word(m.op, self.claiming[m.op], out)
        return out
