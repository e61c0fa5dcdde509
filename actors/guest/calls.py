"""Which system calls an instruction makes under the policy that is studied.

| recorded                  | hole-zero | free      | dontneed-linux | unmap  | recorded       |
|---------------------------|-----------|-----------|----------------|--------|----------------|
| Release: FREE, DONTNEED,  |           |           |                |        |                |
| PROT_NONE                 | HOLE      | MADV_FREE | MADV_DONTNEED  | munmap | the same calls |
| Reuse: mprotect RW        | ZERO      | nothing   | nothing        | mmap   | mprotect RW    |
| Reuse: implied by a touch | ZERO      | nothing   | nothing        | mmap   | nothing        |

The last column is what `mapping = "recorded"` asks for. The allocator's own mprotect pairs are a
part of the release and reuse that they belong to, so they are not made besides.

`args` of a call: MMAP and MPROTECT (prot).
"""

from collections.abc import Callable

from actors.guest.program import (
    Advice,
    Advise,
    How,
    Instruction,
    Map,
    Protect,
    Release,
    Reuse,
    Unmap,
)
from actors.operations.operation import OpKind
from kernel.policy import AdviceKind

#: (kind, va, length, args), in bytes
SystemCall = tuple[int, int, int, tuple[int, ...]]

_RW = 3
_ADVICE = {
    Advice.FREE: OpKind.ADVISE_FREE,
    Advice.DONTNEED: OpKind.ADVISE_DONTNEED,
    Advice.HOLE: OpKind.HOLE,
    Advice.ZERO: OpKind.ZERO,
}
_RELEASE = {
    AdviceKind.HOLE_ZERO: OpKind.HOLE,
    AdviceKind.FREE: OpKind.ADVISE_FREE,
    AdviceKind.DONTNEED_LINUX: OpKind.ADVISE_DONTNEED,
    AdviceKind.UNMAP: OpKind.MUNMAP,
}


def _release(i: Release, advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    if advice is not None:
        return ((_RELEASE[advice], i.va, i.length, ()),)
    calls: list[SystemCall] = []
    if i.how & How.FREE:
        calls.append((OpKind.ADVISE_FREE, i.va, i.length, ()))
    if i.how & How.DONTNEED:
        calls.append((OpKind.ADVISE_DONTNEED, i.va, i.length, ()))
    if i.how & How.NONE:
        calls.append((OpKind.MPROTECT, i.va, i.length, (0,)))
    return tuple(calls)


def _reuse(i: Reuse, advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    if advice is AdviceKind.HOLE_ZERO:
        return ((OpKind.ZERO, i.va, i.length, ()),)
    if advice is AdviceKind.UNMAP:
        return ((OpKind.MMAP, i.va, i.length, (_RW,)),)
    if advice is None and i.how & How.OPEN:
        return ((OpKind.MPROTECT, i.va, i.length, (_RW,)),)
    return ()


def _plain(
    kind: OpKind,
) -> Callable[[Map | Unmap | Protect, AdviceKind | None], tuple[SystemCall, ...]]:
    def call(i: Map | Unmap | Protect, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
        return ((kind, i.va, i.length, () if isinstance(i, Unmap) else (i.prot,)),)

    return call


def _advise(i: Advise, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((_ADVICE[Advice(i.advice)], i.va, i.length, ()),)


_CALLS: dict[type, Callable[..., tuple[SystemCall, ...]]] = {
    Map: _plain(OpKind.MMAP),
    Unmap: _plain(OpKind.MUNMAP),
    Protect: _plain(OpKind.MPROTECT),
    Advise: _advise,
    Release: _release,
    Reuse: _reuse,
}


def calls(instruction: Instruction, advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    """Give the system calls of an instruction; `advice` None re-issues the recorded ones."""
    return _CALLS[instruction.__class__](instruction, advice)


def is_call(instruction: Instruction) -> bool:
    """Say whether the instruction enters the kernel."""
    return instruction.__class__ in _CALLS
