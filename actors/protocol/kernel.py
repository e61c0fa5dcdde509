"""Operations of the kernel: between `vm` and the initiators that it works for."""

from actors.message import Message


class Fault(Message, frozen=True, tag=11):
    """vm <- core: page-fault exception, in user code or in the kernel for a system call."""

    asid: int
    vpn: int
    write: bool
    kernel: bool


class Resolved(Message, frozen=True, tag=12):
    """core <- vm: the fault is resolved (`cause` says how): retry the access."""

    ns: int
    cause: int


class Signal(Message, frozen=True, tag=13):
    """core <- vm: the fault is fatal: SIGSEGV at `vpn` (`code`, a SegvCode), or EFAULT."""

    vpn: int
    code: int
    ns: int


class Call(Message, frozen=True, tag=14):
    """vm <- core: system call `kind` on bytes [va, va + length), instruction `index` of the thread.

    What `args` are depends on the kind: see `actors/guest/calls.py`.
    """

    index: int
    kind: int
    asid: int
    va: int
    length: int
    args: tuple[int, ...]


class Return(Message, frozen=True, tag=15):
    """core, pagedaemon, zeroer <- vm: the operation is done."""

    error: int
    value: int
    ns: int


class Step(Message, frozen=True, tag=16):
    """vm <- vm, core, pagedaemon, zeroer: the operation goes on."""


class Work(Message, frozen=True, tag=17):
    """core, pagedaemon, zeroer <- vm: charge `ns` of kernel work, then send Step."""

    ns: int


class Sleep(Message, frozen=True, tag=18):
    """core, pagedaemon <- vm: the operation sleeps (`why`, an OpState) until Wakeup."""

    why: int
    ns: int


class Wakeup(Message, frozen=True, tag=19):
    """core, pagedaemon <- vm: the operation may go on: send Step when it runs again."""


class Shoot(Message, frozen=True, tag=20):
    """core, pagedaemon, zeroer <- vm: invalidate these pages at `targets` and oneself, Invalidated.

    No pages means the whole address space, for the sake of the pages [start, end) in `about`.
    """

    round: int
    asid: int
    vpns: tuple[int, ...]
    targets: tuple[int, ...]
    ns: int
    about: tuple[int, int] = (0, 0)


class Ipi(Message, frozen=True, tag=21):
    """core <- core, pagedaemon, zeroer: inter-processor interrupt: invalidate, and acknowledge.

    Pages as in Shoot.
    """

    round: int
    asid: int
    vpns: tuple[int, ...]
    about: tuple[int, int] = (0, 0)


class IpiAck(Message, frozen=True, tag=22):
    """core, pagedaemon, zeroer <- core: no user instruction here uses the old entries any more."""

    round: int


class Flush(Message, frozen=True, tag=23):
    """core <- core: the second half of an interrupt that was acknowledged too early (a hazard)."""

    asid: int
    vpns: tuple[int, ...]
    about: tuple[int, int] = (0, 0)


class Invalidated(Message, frozen=True, tag=24):
    """vm <- core, pagedaemon, zeroer: every target of the round has acknowledged."""

    round: int


class CatchUp(Message, frozen=True, tag=59):
    """core <- vm: you entered the kernel: invalidate `vpns` (none: all), then CaughtUp."""

    asid: int
    vpns: tuple[int, ...]
    upto: int
    about: tuple[int, int] = (0, 0)


class CaughtUp(Message, frozen=True, tag=60):
    """vm <- core: I have invalidated what was left to me, up to that number."""

    asid: int
    upto: int


class Watch(Message, frozen=True, tag=61):
    """zeroer <- vm: an invalidation was left to other cores; see to its deadline."""

    number: int


class Deadline(Message, frozen=True, tag=62):
    """zeroer <- zeroer (timer): invalidations watched before the timer was armed are late."""


class Overdue(Message, frozen=True, tag=63):
    """vm <- zeroer: interrupt the cores that have not invalidated up to that number, by me."""

    upto: int


class Tlbi(Message, frozen=True, tag=64):
    """core <- core, pagedaemon, zeroer: broadcast invalidation: no interrupt, the hardware does it.

    Pages as in Shoot.
    """

    round: int
    asid: int
    vpns: tuple[int, ...]
    about: tuple[int, int] = (0, 0)


class TlbiDone(Message, frozen=True, tag=65):
    """core, pagedaemon, zeroer <- core: accesses through the old entries are complete."""

    round: int


class Die(Message, frozen=True, tag=66):
    """core <- vm: the thread ends at its next instruction boundary, as its process does.

    EXIT: it was killed, or another of its threads has called exit_group; a thread that was not
    started never will be. EXEC: another has called execve; such a thread may be started later.
    """

    kind: int


class Died(Message, frozen=True, tag=97):
    """vm <- core: the thread has ended, or was not started and may be later."""

    born: bool
    #: threads that it has started, whose `Spawn` may be on its way; only for one that was born
    started: tuple[int, ...]


#: all messages of the family
KERNEL: tuple[type[Message], ...] = (
    Fault, Resolved, Signal, Call, Return, Step, Work, Sleep, Wakeup, Shoot, Ipi, IpiAck,
    Flush, Invalidated, CatchUp, CaughtUp, Watch, Deadline, Overdue, Tlbi, TlbiDone, Die, Died,
)  # fmt: skip
