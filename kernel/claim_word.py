"""Words in memory by which ZERO and the zeroing thread claim a frame (claim = dekker).

One of each side for a frame. The thief's holds the take of the page that it wants; the zeroing
thread's says which take it works for, how many chunks are done, and whether it goes on.
Source: XNU's deferred reclaim ring (store the own index, fence, load the other's).
"""

from enum import IntEnum

_CHUNK_BITS = 8
_STATE_BITS = 2
#: of a take, within its vm
_NUMBER = (1 << 32) - 1


class Side(IntEnum):
    """Whose word."""

    THIEF = 0
    ZEROER = 1


class Work(IntEnum):
    """What the zeroing thread does with the frame."""

    #: it works on the chunk after those that are done
    GOES_ON = 0
    #: it has seen the thief's claim
    STOPPED = 1
    #: the frame is zero
    DONE = 2


def word(take: int, done: int, work: Work) -> int:
    """Make the zeroing thread's word."""
    return (take << _CHUNK_BITS | done) << _STATE_BITS | work


def chunks_done(value: int, take: int, chunks: int) -> int:
    """Give the chunks that the zeroing thread has done for a take, or -1 while it goes on.

    A word of another take says that it has not begun.
    """
    work = Work(value & (1 << _STATE_BITS) - 1)
    value >>= _STATE_BITS
    if value >> _CHUNK_BITS != take:
        return 0
    if work is Work.GOES_ON:
        return -1
    return chunks if work is Work.DONE else value & (1 << _CHUNK_BITS) - 1


def claim(take: int) -> int:
    """Make the thief's word."""
    return word(take, 0, Work.GOES_ON)


def word_text(value: int) -> str:
    """Render a word: number of the take (within its vm), chunks done, what is done."""
    take, done = value >> _STATE_BITS + _CHUNK_BITS, value >> _STATE_BITS & (1 << _CHUNK_BITS) - 1
    if not value:
        return "0"
    work = Work(value & (1 << _STATE_BITS) - 1).name
    return f"{take & _NUMBER}:{done}:{work}"
