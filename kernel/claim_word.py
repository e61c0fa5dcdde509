"""Words in memory by which ZERO and the zeroing thread claim a frame (claim = dekker).

Each frame has one word for each side. The thief's (ZERO's) holds the number of the take that it
wants; the zeroing thread's says which take it works on, how many chunks are done, and whether it
goes on. A take is one handing of pages to the zeroing thread.
Source: XNU's deferred reclaim ring (store own index, fence, load the other's).
"""

from enum import IntEnum

_CHUNK_BITS = 8
_STATE_BITS = 2
#: mask of a take's number within its vm
_NUMBER = (1 << 32) - 1


class Side(IntEnum):
    """Whose word."""

    THIEF = 0
    ZEROER = 1


class Work(IntEnum):
    """What the zeroing thread is doing with the frame."""

    #: working on the chunk after those that are done
    GOES_ON = 0
    #: stopped: it has seen the thief's claim
    STOPPED = 1
    #: the frame is zero
    DONE = 2


def zeroer_word(take: int, done: int, work: Work) -> int:
    """Make the zeroing thread's word."""
    return (take << _CHUNK_BITS | done) << _STATE_BITS | work


def chunks_done(value: int, take: int, chunks: int) -> int:
    """Return how many chunks the zeroing thread has done for a take, or -1 while it goes on.

    A word for another take means that it has not begun this one.
    """
    work = Work(value & (1 << _STATE_BITS) - 1)
    value >>= _STATE_BITS
    if value >> _CHUNK_BITS != take:
        return 0
    if work is Work.GOES_ON:
        return -1
    return chunks if work is Work.DONE else value & (1 << _CHUNK_BITS) - 1


def thief_word(take: int) -> int:
    """Make the thief's word: it claims the page."""
    return zeroer_word(take, 0, Work.GOES_ON)


def word_text(value: int) -> str:
    """Render a word: number of the take (within its vm), chunks done, state of the work."""
    take, done = value >> _STATE_BITS + _CHUNK_BITS, value >> _STATE_BITS & (1 << _CHUNK_BITS) - 1
    if not value:
        return "0"
    work = Work(value & (1 << _STATE_BITS) - 1).name
    return f"{take & _NUMBER}:{done}:{work}"
