"""Small guests written by hand: one line an instruction, pages instead of addresses.

    map PAGE COUNT [PROT] [shared] [file:N[+FIRST]]
    unmap PAGE COUNT           protect PAGE COUNT PROT
    move PAGE COUNT to PAGE [COUNT] [keep]                 (mremap)
    lock PAGE COUNT            unlock PAGE COUNT           incore PAGE COUNT
    hole PAGE COUNT            zero PAGE COUNT             free PAGE COUNT     dontneed PAGE COUNT
    ADVICE PAGE COUNT          (normal, cold, pageout, dontfork, remove, ...: `Advice` has them all)
    release PAGE COUNT         reuse PAGE COUNT            (the policy's advice for them)
    store PAGE[.GRANULE] [COUNT [STRIDE]]                  load PAGE[.GRANULE] [COUNT [STRIDE]]
    copyout ...                copyin ...                  (as store and load, by the kernel)
    dma-read ... [device:N]    dma-write ... [device:N]    (as store and load, by a device, while
                                                           the thread goes on)
    dma-wait                   (until its transfers are complete)
    think NS                   await THREAD INDEX          create THREAD       fence       exit
    fork THREAD                exec                        quit (the process ends)

PROT is `none`, `r` or `rw` (the default); COUNT of an access counts granules STRIDE bytes apart
(default: one page apart); numbers may be hexadecimal. Threads are named or numbered. `fork` starts
the thread in a process of its own, with a copy of the memory. Files are numbered, and never end.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from actors.guest.program import (
    NO_FILE,
    Access,
    Advice,
    Advise,
    Await,
    Copy,
    Create,
    Dma,
    DmaWait,
    Exec,
    Exit,
    Fence,
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
    Think,
    ThreadInfo,
    Unlock,
    Unmap,
    families,
)
from kernel.stamp import ELEMENTS_MAX
from kernel.units import CELLS_PER_PAGE, GRANULE, PAGE_SIZE, VPN_LIMIT

#: a week
_THINK_MAX_NS = 604_800 * 10**9
_FILES_MAX = 1 << 20
_DEVICES_MAX = 255
_PROT = {"none": 0, "r": 1, "rw": 3}
_Parser = Callable[[list[str], Mapping[str, int]], Instruction]


class ScriptError(ValueError):
    """A line of a script that is no instruction; the message names it and what was expected."""


class Script(msgspec.Struct, frozen=True):
    """A guest held in memory: one tuple of instructions a thread."""

    threads: tuple[ThreadInfo, ...]
    programs: tuple[tuple[Instruction, ...], ...]

    @property
    def digest(self) -> bytes:
        """Return the digest of the whole program."""
        data = msgspec.msgpack.encode((self.threads, self.programs))
        return blake2b(data, digest_size=16).digest()

    def families(self, processes: int) -> tuple[int, ...]:
        """Number the families: a fork relates two processes, and so does mapping a file."""
        related, mappers = [], []
        for info, program in zip(self.threads, self.programs, strict=True):
            for one in program:
                if isinstance(one, Fork):
                    related.append((info.process, self.threads[one.thread].process))
                elif isinstance(one, Map) and one.file != NO_FILE:
                    mappers.append(info.process)
        related += [(mappers[0], other) for other in mappers[1:]]
        return families(processes, related)

    def at(self, thread: int, index: int) -> Instruction | None:
        """Return one instruction, or None past the end."""
        program = self.programs[thread]
        return program[index] if index < len(program) else None


def _number(text: str, least: int = 0, most: int = VPN_LIMIT, what: str = "number") -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise ScriptError(f"{text!r} is not a number") from None
    if not least <= value <= most:
        raise ScriptError(f"{text!r} is no {what}: use {least} to {most:#x}")
    return value


def _range(words: list[str]) -> tuple[int, int]:
    start = _number(words[0], most=VPN_LIMIT - 1, what="page")
    count = _number(words[1], least=1, most=VPN_LIMIT - start, what="count of pages")
    return start * PAGE_SIZE, count * PAGE_SIZE


def _prot(word: str) -> int:
    if word not in _PROT:
        raise ScriptError(f"{word!r} is no protection: use none, r or rw")
    return _PROT[word]


def _map(words: list[str]) -> Map:
    start, length = _range(words)
    prot, shared, file, first = 3, False, NO_FILE, 0
    for word in words[2:]:
        if word == "shared":
            shared = True
        elif word.startswith("file:"):
            number, _, page = word.removeprefix("file:").partition("+")
            file = _number(number, most=_FILES_MAX, what="file")
            first = _number(page, what="page of a file") if page else 0
        else:
            prot = _prot(word)
    return Map(start, length, prot, shared, file, first)


def _move(words: list[str]) -> Move:
    va, length = _range(words)
    if words[2] != "to":
        raise ScriptError(f"{words[2]!r}: write `move PAGE COUNT to PAGE [COUNT] [keep]`")
    keep = words[-1] == "keep"
    place = words[3:-1] if keep else words[3:]
    to, new_length = _range([place[0], place[1] if len(place) > 1 else words[1]])
    return Move(va, length, to, new_length, keep)


def _copy(words: list[str], *, write: bool) -> Copy:
    one = _access(words, write=write)
    return Copy(one.va, one.count, one.stride, one.write)


def _dma(words: list[str], *, write: bool) -> Dma:
    device = 0
    if words[-1].startswith("device:"):
        device = _number(words.pop().removeprefix("device:"), most=_DEVICES_MAX, what="device")
    if not words:
        raise ScriptError("write PAGE before the device, as in `dma-read 1 device:0`")
    one = _access(words, write=write)
    return Dma(one.va, one.count, one.stride, one.write, device)


def _advice(advice: Advice) -> _Parser:
    return lambda w, _: Advise(*_range(w), advice)


def _access(words: list[str], *, write: bool) -> Access:
    page, _, granule = words[0].partition(".")
    va = _number(page, most=VPN_LIMIT - 1, what="page") * PAGE_SIZE
    if granule:
        va += _number(granule, most=CELLS_PER_PAGE - 1, what="granule of a page") * GRANULE
    count = _number(words[1], least=1, most=ELEMENTS_MAX, what="count") if len(words) > 1 else 1
    stride = _number(words[2], what="stride") if len(words) > 2 else PAGE_SIZE
    if va + (count - 1) * stride >= VPN_LIMIT * PAGE_SIZE:
        raise ScriptError("the accesses end beyond the last page of an address space")
    return Access(va, count, stride, write)


def _thread(word: str, names: Mapping[str, int]) -> int:
    if word in names:
        return names[word]
    if word.isdigit() and int(word) in names.values():
        return int(word)
    raise ScriptError(f"there is no thread {word!r}; threads are {', '.join(sorted(names))}")


#: verb -> (fewest, most words after it, parser)
_VERBS: dict[str, tuple[int, int, _Parser]] = {
    "map": (2, 5, lambda w, _: _map(w)),
    "unmap": (2, 2, lambda w, _: Unmap(*_range(w))),
    "protect": (3, 3, lambda w, _: Protect(*_range(w), _prot(w[2]))),
    "move": (4, 6, lambda w, _: _move(w)),
    "lock": (2, 2, lambda w, _: Lock(*_range(w))),
    "unlock": (2, 2, lambda w, _: Unlock(*_range(w))),
    "incore": (2, 2, lambda w, _: InCore(*_range(w))),
    **{one.name.lower().replace("_", "-"): (2, 2, _advice(one)) for one in Advice},
    "release": (2, 2, lambda w, _: Release(*_range(w), How.FREE)),
    "reuse": (2, 2, lambda w, _: Reuse(*_range(w), How.OPEN)),
    "store": (1, 3, lambda w, _: _access(w, write=True)),
    "load": (1, 3, lambda w, _: _access(w, write=False)),
    "copyout": (1, 3, lambda w, _: _copy(w, write=True)),
    "copyin": (1, 3, lambda w, _: _copy(w, write=False)),
    "dma-read": (1, 4, lambda w, _: _dma(w, write=True)),
    "dma-write": (1, 4, lambda w, _: _dma(w, write=False)),
    "dma-wait": (0, 0, lambda _w, _n: DmaWait()),
    "think": (1, 1, lambda w, _: Think(_number(w[0], most=_THINK_MAX_NS, what="time in ns"))),
    "await": (2, 2, lambda w, names: Await(_thread(w[0], names), _number(w[1]))),
    "create": (1, 1, lambda w, names: Create(_thread(w[0], names))),
    "fork": (1, 1, lambda w, names: Fork(_thread(w[0], names))),
    "quit": (0, 0, lambda _w, _n: Quit()),
    "exec": (0, 0, lambda _w, _n: Exec()),
    "fence": (0, 0, lambda _w, _n: Fence()),
    "exit": (0, 0, lambda _w, _n: Exit()),
}


def parse_line(line: str, names: Mapping[str, int]) -> Instruction:
    """Read one instruction.

    names: thread name -> number, for `await` and `create`.

    Raises:
        ScriptError: the line is none.
    """
    verb, *words = line.split()
    if verb not in _VERBS:
        raise ScriptError(f"{verb!r} is no instruction; there are {', '.join(sorted(_VERBS))}")
    fewest, most, parser = _VERBS[verb]
    if not fewest <= len(words) <= most:
        span = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise ScriptError(f"{line!r}: {verb} takes {span} words, not {len(words)}")
    return parser(words, names)
