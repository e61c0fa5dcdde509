"""Frames: allocated and freed, zeroed, copied."""

from actors.message import Message


class Allocate(Message, frozen=True, tag=25):
    """memory <- vm: a frame, please; answered by Frame or NoFrame."""


class NoFrame(Message, frozen=True, tag=51):
    """vm <- memory: none is free here."""


class AwaitFrames(Message, frozen=True, tag=52):
    """memory <- vm: no domain had a frame, the operation sleeps: say when some are free."""


class FramesFree(Message, frozen=True, tag=53):
    """vm <- memory: frames are free again: allocate anew."""


class GaveUp(Message, frozen=True, tag=54):
    """memory <- vm: the operation does not wait for frames any more."""


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


class CopyFrame(Message, frozen=True, tag=47):
    """core <- vm: copy frame `src` to frame `dst`, then Step."""

    src: int
    dst: int
    ns: int


class CopyChunk(Message, frozen=True, tag=48):
    """memory <- core: copy chunk `chunk` of frame `src` to frame `dst`."""

    src: int
    dst: int
    chunk: int


class ChunkData(Message, frozen=True, tag=49):
    """memory <- memory: chunk `chunk` of a frame to be `dst` is this; tell `initiator`."""

    dst: int
    chunk: int
    base: int
    cells: tuple[tuple[int, int], ...]
    initiator: int


class ChunkCopied(Message, frozen=True, tag=50):
    """core <- memory: it is copied."""

    chunk: int


class ReadPage(Message, frozen=True, tag=55):
    """core <- vm: have a page of a file read into frame `pfn`, then Step; the thread sleeps.

    `contents` is what the page holds, a stamp.
    """

    pfn: int
    contents: int
    ns: int


class PageRead(Message, frozen=True, tag=56):
    """core <- core (timer): the device has read the page."""

    pfn: int
    contents: int


class FillFrame(Message, frozen=True, tag=57):
    """memory <- core: the frame holds this page of a file."""

    pfn: int
    contents: int


class FrameFilled(Message, frozen=True, tag=58):
    """core <- memory: it does."""


class Pressure(Message, frozen=True, tag=31):
    """pagedaemon <- memory: free frames are below the target by `shortage` frames (0: enough).

    `waiting` allocations wait, `free` frames are free. Wakes the page daemon, or answers it.
    """

    shortage: int
    waiting: int
    free: int


#: all messages of the family
FRAMES: tuple[type[Message], ...] = (
    Allocate, NoFrame, AwaitFrames, FramesFree, GaveUp, Frame, Free, ZeroFrames, ZeroChunk,
    ChunkZeroed, CopyFrame, CopyChunk, ChunkData, ChunkCopied, ReadPage, PageRead,
    FillFrame, FrameFilled, Pressure,
)  # fmt: skip
