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
thread that the child begins with), MREMAP (new address, new length, whether the old range stays),
MINHERIT (flags of the map's entries set, cleared), POPULATE (for stores, `POPULATES`),
ADVISE_DONTNEED (whether wired pages go, too), DMA (for stores, `POPULATES`, the device), EXEC (the
threads of the process that the caller has started: the core adds them).
"""

from collections.abc import Callable

from actors.guest.program import (
    NO_FILE,
    Advice,
    Advise,
    Dma,
    Exec,
    Fork,
    How,
    InCore,
    Instruction,
    Lock,
    Map,
    Move,
    Protect,
    Quit,
    Release,
    Reuse,
    Unlock,
    Unmap,
)
from actors.operation import POPULATES, OpKind
from kernel.policy.keys import AdviceKind
from kernel.units import GRANULE
from kernel.vm_map import INHERITED_ZERO, NOT_INHERITED

#: (kind, va, length, args), in bytes
SystemCall = tuple[int, int, int, tuple[int, ...]]

_RW = 3
#: advice -> kind and arguments
_ADVICE: dict[int, tuple[OpKind, tuple[int, ...]]] = {
    Advice.FREE: (OpKind.ADVISE_FREE, ()),
    Advice.DONTNEED: (OpKind.ADVISE_DONTNEED, ()),
    Advice.DONTNEED_LOCKED: (OpKind.ADVISE_DONTNEED, (1,)),
    Advice.HOLE: (OpKind.HOLE, ()),
    Advice.ZERO: (OpKind.ZERO, ()),
    Advice.NORMAL: (OpKind.ADVISE_HINT, ()),
    Advice.RANDOM: (OpKind.ADVISE_HINT, ()),
    Advice.SEQUENTIAL: (OpKind.ADVISE_HINT, ()),
    Advice.WILLNEED: (OpKind.ADVISE_HINT, ()),
    Advice.COLD: (OpKind.ADVISE_COLD, ()),
    Advice.PAGEOUT: (OpKind.ADVISE_PAGEOUT, ()),
    Advice.POPULATE_READ: (OpKind.POPULATE, (0, POPULATES)),
    Advice.POPULATE_WRITE: (OpKind.POPULATE, (1, POPULATES)),
    Advice.DONTFORK: (OpKind.MINHERIT, (NOT_INHERITED, 0)),
    Advice.DOFORK: (OpKind.MINHERIT, (0, NOT_INHERITED)),
    Advice.WIPEONFORK: (OpKind.MINHERIT, (INHERITED_ZERO, 0)),
    Advice.KEEPONFORK: (OpKind.MINHERIT, (0, INHERITED_ZERO)),
    Advice.REMOVE: (OpKind.ADVISE_REMOVE, ()),
    Advice.GUARD_INSTALL: (OpKind.GUARD_INSTALL, ()),
    Advice.GUARD_REMOVE: (OpKind.GUARD_REMOVE, ()),
}
_NO_ADVICE = (OpKind.ADVISE_UNKNOWN, ())
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
    kind, args = _ADVICE.get(i.advice, _NO_ADVICE)
    return ((kind, i.va, i.length, args),)


def _move(i: Move, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MREMAP, i.va, i.length, (i.to, i.new_length, int(i.keep))),)


def _lock(i: Lock, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MLOCK, i.va, i.length, (0, POPULATES)),)


def _unlock(i: Unlock, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MUNLOCK, i.va, i.length, ()),)


def _in_core(i: InCore, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.MINCORE, i.va, i.length, ()),)


def _dma(i: Dma, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    length = (i.count - 1) * i.stride + GRANULE
    return ((OpKind.DMA, i.va, length, (1, POPULATES, i.device)),)


def _exec(_i: Exec, _advice: AdviceKind | None) -> tuple[SystemCall, ...]:
    return ((OpKind.EXEC, 0, 0, ()),)


_CALLS: dict[type, Callable[..., tuple[SystemCall, ...]]] = {
    Map: _map,
    Unmap: _unmap,
    Protect: _protect,
    Fork: _fork,
    Quit: _quit,
    Exec: _exec,
    Advise: _advise,
    Move: _move,
    Lock: _lock,
    Unlock: _unlock,
    InCore: _in_core,
    Dma: _dma,
    Release: _release,
    Reuse: _reuse,
}


def calls(
    instruction: Instruction, advice: AdviceKind | None, *, checks: bool = False
) -> tuple[SystemCall, ...]:
    """Return the system calls of an instruction; `advice` None re-issues the recorded ones.

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
