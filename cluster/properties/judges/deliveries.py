"""What it means that a machine receives a message."""

from collections.abc import Callable, Iterable

from actors.machine import Effect, Send
from actors.messages import (
    Call,
    ChunkCopied,
    ChunkData,
    CopyChunk,
    DmaLoad,
    DmaStore,
    Fault,
    FillFrame,
    Frame,
    Free,
    FreeSlots,
    Invalidated,
    Load,
    Loaded,
    PagedOut,
    PageOut,
    ReadSlot,
    Scan,
    Store,
    SwapData,
    SwapWrite,
    Unpin,
    ZeroChunk,
)
from actors.operation import OpKind
from cluster.properties import account
from cluster.properties.clock import Clock
from cluster.properties.judges import accesses, call_effects, ended, holes
from cluster.properties.known.known import (
    CALLS,
    CELLS,
    FRAMES,
    HISTORIES,
    LINES,
    PLACES,
    RIGHTS,
    SWAP,
    TRANSFERS,
    UNDER_WAY,
    Known,
)
from kernel.policy.promises import Property
from kernel.units import CELLS_PER_PAGE

#: (what is known, receiver, sender, message, effects, clock of the event, clock of the sending)
Judge = Callable[..., None]


def _load(
    known: Known, dst: int, src: int, m: Load, effects: list[Effect], clock: Clock, sent: Clock
) -> None:
    accesses.load(known, src, m, _loaded(effects), sent, (clock.latest(dst), clock))


def _store(
    known: Known, dst: int, src: int, m: Store, _e: list[Effect], clock: Clock, _sent: Clock
) -> None:
    accesses.store(known, src, m, clock.latest(dst), clock)


def _dma_store(
    known: Known, dst: int, _src: int, m: DmaStore, _e: list[Effect], clock: Clock, _sent: Clock
) -> None:
    accesses.device_stores(known, m, clock.latest(dst))


def _dma_load(
    known: Known, dst: int, _src: int, m: DmaLoad, e: list[Effect], clock: Clock, _sent: Clock
) -> None:
    accesses.device_loads(known, m, _loaded(e), clock.latest(dst), clock)


def _loaded(effects: list[Effect]) -> tuple[int, ...]:
    answer = effects[0]
    assert isinstance(answer, Send)
    assert isinstance(answer.message, Loaded)
    return answer.message.stamps


def _zero_chunk(
    known: Known, _dst: int, _src: int, m: ZeroChunk, _e: list[Effect], *_: Clock
) -> None:
    _check_work(known, m.op, m.pfns, "zeroed")


def _fill_frame(
    known: Known, _dst: int, _src: int, m: FillFrame, _e: list[Effect], *_: Clock
) -> None:
    _check_work(known, m.op, (m.pfn,), "filled from a file")


def _copy_chunk(
    known: Known, _dst: int, _src: int, m: CopyChunk, effects: list[Effect], *_: Clock
) -> None:
    _check_work(known, m.op, (m.src,), "copied")
    size = CELLS_PER_PAGE // known.given.chunks
    start = m.chunk * size
    known.cells.copied[m.op] = known.cells.chunk(m.src, start, start + size)
    answer = effects[0]
    assert isinstance(answer, Send)
    if isinstance(answer.message, ChunkCopied):  # to a frame of the same memory
        _copied(known, m.op, m.dst)


def _chunk_data(
    known: Known, _dst: int, _src: int, m: ChunkData, _e: list[Effect], *_: Clock
) -> None:
    _copied(known, m.op, m.dst)


def _copied(known: Known, lane: int, pfn: int) -> None:
    _check_work(known, lane, (pfn,), "copied to")
    known.cells.put(pfn, known.cells.copied.pop(lane))


def _page_out(
    known: Known, dst: int, src: int, m: PageOut, _e: list[Effect], _clock: Clock, sent: Clock
) -> None:
    _check_work(known, m.op, m.pfns, "paged out")
    for pfn in m.pfns:
        holes.no_hole_goes_out(known, dst, src, pfn, m.op, sent)
    known.swap.goes_out(m.op, tuple(map(known.cells.page, m.pfns)))


def _swap_write(
    known: Known, _dst: int, _src: int, m: SwapWrite, effects: list[Effect], *_: Clock
) -> None:
    answer = effects[0]
    assert isinstance(answer, Send)
    assert isinstance(answer.message, PagedOut)
    known.swap.written(m.op, answer.message.slots)


def _read_slot(
    known: Known, _dst: int, _src: int, m: ReadSlot, _e: list[Effect], *_: Clock
) -> None:
    known.swap.read(m.op, m.slot)


def _swap_data(
    known: Known, _dst: int, _src: int, m: SwapData, _e: list[Effect], *_: Clock
) -> None:
    _check_work(known, m.op, (m.pfn,), "paged in")
    known.cells.replace(m.pfn, known.swap.arrived(m.op))


def _free_slots(
    known: Known, _dst: int, _src: int, m: FreeSlots, _e: list[Effect], *_: Clock
) -> None:
    known.swap.freed(m.slots)


def _check_work(known: Known, lane: int, pfns: Iterable[int], what: str) -> None:
    """Report kernel work on frames that its lane was not told to work on."""
    for pfn in pfns:
        if not known.frames.may_work(lane, pfn):
            text = f"frame {pfn:#x} was {what}, but it {known.frames.what_is(pfn)}"
            known.reports.add(Property.ISOLATE, text, 0, -1, (lane,))


def _free(known: Known, dst: int, _src: int, m: Free, _e: list[Effect], *_: Clock) -> None:
    if m.zeroed:
        account.zero_as_believed(known.observed, dst, m, known.reports)
    for pfn in m.pfns:
        if not known.frames.freed(pfn):
            text = f"frame {pfn:#x} is freed twice"
            known.reports.add(Property.ACCOUNT, text, 0, -1, (m.op,))


def _frame(known: Known, _dst: int, _src: int, m: Frame, _e: list[Effect], *_: Clock) -> None:
    known.frames.arrived(m.pfn)


def _call(
    known: Known, dst: int, _src: int, m: Call, _e: list[Effect], clock: Clock, sent: Clock
) -> None:
    known.reports.called(m)
    ended.acts(known, m.asid, m.op, sent, f"made call {OpKind(m.kind).name}")
    call_effects.called(known, m, clock.latest(dst), sent)


def _invalidated(
    known: Known, _dst: int, _src: int, m: Invalidated, _e: list[Effect], *_: Clock
) -> None:
    known.calls.shooting.pop(m.op, None)


def _scan(known: Known, _dst: int, _src: int, m: Scan, _e: list[Effect], *_: Clock) -> None:
    known.calls.scans[m.op] = None


def _unpin(known: Known, _dst: int, _src: int, m: Unpin, _e: list[Effect], *_: Clock) -> None:
    known.transfers.given_back(m.name, m.pfns)


def _fault(
    known: Known, dst: int, _src: int, m: Fault, _e: list[Effect], clock: Clock, _sent: Clock
) -> None:
    known.under_way.faults[m.op] = clock, dst, m.write


#: by message: who judges it, and a mask of the parts of what is known that he changes
JUDGES: dict[type, tuple[Judge, int]] = {
    Load: (_load, LINES),
    Store: (_store, CELLS | LINES),
    DmaStore: (_dma_store, CELLS | LINES | TRANSFERS),
    DmaLoad: (_dma_load, LINES | TRANSFERS),
    ZeroChunk: (_zero_chunk, 0),
    FillFrame: (_fill_frame, 0),
    CopyChunk: (_copy_chunk, CELLS),
    ChunkData: (_chunk_data, CELLS),
    PageOut: (_page_out, SWAP),
    SwapWrite: (_swap_write, SWAP),
    ReadSlot: (_read_slot, SWAP),
    SwapData: (_swap_data, SWAP | CELLS),
    FreeSlots: (_free_slots, SWAP),
    Free: (_free, FRAMES),
    Frame: (_frame, FRAMES),
    Call: (_call, CALLS | CELLS | HISTORIES | LINES | PLACES | RIGHTS),
    Fault: (_fault, UNDER_WAY),
    Invalidated: (_invalidated, CALLS),
    Scan: (_scan, CALLS),
    Unpin: (_unpin, TRANSFERS),
}
