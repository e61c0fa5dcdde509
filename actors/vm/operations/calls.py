"""System calls become operations: what `Call.args` means is decoded here, once.

How a guest's instruction becomes a call is in `actors/guest/calls.py`.
"""

from collections.abc import Callable

from actors.messages import Call
from actors.operation import OpKind
from actors.settings import Settings
from actors.vm.op import Op
from actors.vm.operations.faults import pin, populate
from actors.vm.payloads import (
    NOTHING,
    Discard,
    Dma,
    Dontneed,
    End,
    Fault,
    Fork,
    Free,
    Hole,
    Inherit,
    Map,
    Mlock,
    Pageout,
    Payload,
    Protect,
    Remap,
    Zero,
)
from kernel.units import page_span

Args = tuple[int, ...]
#: (settings, first page, end, arguments) -> payload
Decoder = Callable[[Settings, int, int, Args], Payload]


def operation(settings: Settings, by: int, kind: OpKind, m: Call, ns: int) -> Op[Payload]:
    """Make the operation of a system call of a core, with the kernel work done so far."""
    start, end = page_span(m.va, m.length)
    decode = _DECODERS.get(kind)
    own = _WITHOUT_ARGUMENTS[kind] if decode is None else decode(settings, start, end, m.args)
    first = _FIRST.get(kind, 0)
    return Op(m.op, by, kind, m.asid, start, end, own, phase=first, cursor=start, ns=ns)


def _map(_settings: Settings, _start: int, _end: int, args: Args) -> Map:
    prot, shared, file, first = args
    return Map(prot=prot, shared=bool(shared), file=file, first=first)


def _protect(_settings: Settings, _start: int, _end: int, args: Args) -> Protect:
    (prot,) = args
    return Protect(prot)


def _inherit(_settings: Settings, _start: int, _end: int, args: Args) -> Inherit:
    on, off = args
    return Inherit(on, off)


def _fork(settings: Settings, _start: int, _end: int, args: Args) -> Fork:
    (thread,) = args
    return Fork(child=settings.process_of[thread])


def _remap(_settings: Settings, start: int, end: int, args: Args) -> Remap:
    to, new_length, keep = args
    new, new_end = page_span(to, new_length)
    return Remap(old=start, old_end=end, new=new, new_end=new_end, keep=bool(keep), end=end)


def _dontneed(_settings: Settings, _start: int, _end: int, args: Args) -> Dontneed:
    return Dontneed(locked=bool(args))


def _populate(_settings: Settings, start: int, _end: int, args: Args) -> Fault:
    write, behalf = args
    return Fault(start, bool(write), behalf)


def _mlock(_settings: Settings, start: int, _end: int, args: Args) -> Mlock:
    write, behalf = args
    return Mlock(start, bool(write), behalf)


def _exec(_settings: Settings, _start: int, _end: int, args: Args) -> End:
    return End(started=args)


def _dma(_settings: Settings, start: int, _end: int, args: Args) -> Dma:
    write, behalf, device = args
    return Dma(start, bool(write), behalf, device=device)


_DECODERS: dict[OpKind, Decoder] = {
    OpKind.MMAP: _map,
    OpKind.MPROTECT: _protect,
    OpKind.MINHERIT: _inherit,
    OpKind.FORK: _fork,
    OpKind.MREMAP: _remap,
    OpKind.ADVISE_DONTNEED: _dontneed,
    OpKind.POPULATE: _populate,
    OpKind.MLOCK: _mlock,
    OpKind.DMA: _dma,
    OpKind.EXEC: _exec,
}
_WITHOUT_ARGUMENTS: dict[OpKind, Payload] = {
    OpKind.MUNMAP: Discard(),
    OpKind.EXIT: End(),
    OpKind.MUNLOCK: NOTHING,
    OpKind.MINCORE: NOTHING,
    OpKind.ADVISE_FREE: Free(),
    OpKind.HOLE: Hole(),
    OpKind.ZERO: Zero(),
    OpKind.REUSE: NOTHING,
    OpKind.ADVISE_HINT: NOTHING,
    OpKind.ADVISE_COLD: NOTHING,
    OpKind.ADVISE_PAGEOUT: Pageout(),
    OpKind.ADVISE_REMOVE: NOTHING,
    OpKind.GUARD_INSTALL: Discard(),
    OpKind.GUARD_REMOVE: NOTHING,
}
#: calls that go through the phases of a fault have those first
_FIRST = {
    OpKind.POPULATE: populate.NEXT_PAGE,
    OpKind.MLOCK: populate.WIRE,
    OpKind.DMA: pin.HOLD_PAGES,
}
