"""Which system calls an instruction makes under the policy that is studied.

| recorded                  | hole-zero | reusable-reuse | free      | dontneed-*    | unmap  |
|---------------------------|-----------|----------------|-----------|---------------|--------|
| Release: FREE, DONTNEED,  |           |                |           |               |        |
| PROT_NONE                 | HOLE      | HOLE           | MADV_FREE | MADV_DONTNEED | munmap |
| Reuse: mprotect RW        | ZERO      | REUSE          | nothing   | nothing       | mmap   |
| Reuse: implied by a touch | ZERO      | REUSE          | nothing   | nothing       | mmap   |

`mapping = "recorded"` asks for the recorded calls instead. The allocator's own mprotect pairs are a
part of the release and reuse that they belong to, so they are not made besides, unless
`commit_checks = "on"` asks for them.

`args` of a call: MMAP (prot, shared, file or -1, first page of it), MPROTECT (prot), FORK (the
thread that the child begins with).
"""

from collections.abc import Callable

from actors.guest.program import (
    NO_FILE,
    Advice,
    Advise,
    Fork,
    How,
    Instruction,
    Map,
    Protect,
    Quit,
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
    AdviceKind.REUSABLE_REUSE: OpKind.HOLE,
    AdviceKind.FREE: OpKind.ADVISE_FREE,
    AdviceKind.DONTNEED_LINUX: OpKind.ADVISE_DONTNEED,
    AdviceKind.DONTNEED_FREEBSD: OpKind.ADVISE_DONTNEED,
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
    if advice is AdviceKind.REUSABLE_REUSE:
        return ((OpKind.REUSE, i.va, i.length, ()),)
    if advice is AdviceKind.UNMAP:
        return ((OpKind.MMAP, i.va, i.length, (_RW, 0, NO_FILE, 0)),)
    if advice is None and i.how & How.OPEN:
        return ((OpKind.MPROTECT, i.va, i.length, (_RW,)),)
    return ()


def _map(i: Map, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MMAP, i.va, i.length, (i.prot, int(i.shared), i.file, i.first)),)


def _unmap(i: Unmap, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MUNMAP, i.va, i.length, ()),)


def _protect(i: Protect, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MPROTECT, i.va, i.length, (i.prot,)),)


def _fork(i: Fork, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.FORK, 0, 0, (i.thread,)),)


def _quit(_i: Quit, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.EXIT, 0, 0, ()),)


def _advise(i: Advise, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((_ADVICE[Advice(i.advice)], i.va, i.length, ()),)


_CALLS: dict[type, Callable[..., tuple[SystemCall, ...]]] = {
    Map: _map,
    Unmap: _unmap,
    Protect: _protect,
    Fork: _fork,
    Quit: _quit,
    Advise: _advise,
    Release: _release,
    Reuse: _reuse,
}


def calls(
    instruction: Instruction, advice: AdviceKind | None, *, checks: bool = False
) -> tuple[SystemCall, ...]:
    """Give the system calls of an instruction; `advice` None re-issues the recorded ones.

    checks: the allocator takes access away itself, too, between release and reuse.
    """
    found = _CALLS[instruction.__class__](instruction, advice)
    if checks and advice is not None:
        if isinstance(instruction, Release):
            closed = (OpKind.MPROTECT, instruction.va, instruction.length, (0,))
            return (*found, closed)
        if isinstance(instruction, Reuse):
            opened = (OpKind.MPROTECT, instruction.va, instruction.length, (_RW,))
            return (opened, *found)
    return found


def is_call(instruction: Instruction) -> bool:
    """Say whether the instruction enters the kernel."""
    return instruction.__class__ in _CALLS
