"""The page daemon of one memory domain: passes over the queues until enough frames are free.

    Pressure -> a pass: HOLES, NOREUSE, INACTIVE, LAUNDRY as far as frames are short, then ACTIVE;
    PassEnded -> Pressure: how short now?   enough: idle;   the pass freed something: the next one;
    it did not, and somebody waits: a pause, then the next; too often: the largest process dies

The queues are with the vms, as they are with the pages in the kernel: the page daemon has each scan
its own and is the initiator of that operation. Nothing is sent to it while frames are plentiful.
Source: FreeBSD vm_pageout_worker, vm_pageout_mightbe_oom; one worker a domain. Its laundry thread
is a part of it here; of its controller (pidctrl) only the shortage itself is.
"""

from collections.abc import Hashable
from enum import IntEnum

from actors.machine import Effect, Send, Spend, Timer
from actors.messages import (
    Census,
    Kill,
    PassEnded,
    Pressure,
    Rescan,
    Return,
    Scan,
    Scanned,
    Sizes,
    Sleep,
    Step,
    Wakeup,
)
from actors.settings import Settings
from actors.threads.kernel_thread import KernelThread
from kernel.page_queue import CLEAN_WEIGHT, QUEUES, Queue

#: FreeBSD: VM_INACT_SCAN_RATE passes a second
_PAUSE_NS = 100_000_000


class Stage(IntEnum):
    """What the page daemon does or waits for."""

    IDLE = 0
    #: a scan of a vm
    SCAN = 1
    #: memory, to say how short it is
    ASK = 2
    #: the same after a pass that brought nothing
    ASK_IN_VAIN = 3
    #: its timer
    PAUSE = 4
    #: vms, to say how large their processes are
    CENSUS = 5
    #: a process to be gone
    KILL = 6


class PageDaemon(KernelThread):
    """A kernel thread with one scan in flight at most."""

    ROLE = "pagedaemon"
    RECEIVES = KernelThread.RECEIVES | Pressure | Scanned | Rescan | Sleep | Wakeup | Sizes | Return

    def __init__(self, me: int, settings: Settings) -> None:
        """Make an idle page daemon."""
        super().__init__(me, settings)
        self.memory = settings.memories[settings.daemons.index(me)]
        self.vms = tuple(sorted(set(settings.vm_of)))
        self.stage = Stage.IDLE
        #: frames short when the pass began, and what it brought: freed, laundered
        self.shortage = 0
        self.freed = 0
        self.laundered = 0
        #: scan of the pass: queue * vms + vm; the first vm changes from pass to pass
        self.at = 0
        self.first = 0
        #: lengths of the queues of each vm, as it said last
        self.lengths: dict[int, tuple[int, ...]] = {}
        #: passes in vain, one after the other
        self.vain = 0
        #: (vm, process, pages resident, pages in swap), and the vms that have not answered yet
        self.sizes: tuple[tuple[int, int, int, int], ...] = ()
        self.asked: tuple[int, ...] = ()
        #: frames of the domain that they have: of pages that may go, of files
        self.held = self.kept = 0
        #: free frames when memory was found to be out
        self.free = 0

    def clone(self) -> "PageDaemon":
        """Copy the container; the values in it are immutable and shared."""
        twin = PageDaemon(self.me, self.settings)
        twin.rounds = self.rounds.clone()
        twin.stage, twin.shortage = self.stage, self.shortage
        twin.freed, twin.laundered = self.freed, self.laundered
        twin.at, twin.first, twin.vain = self.at, self.first, self.vain
        twin.lengths = self.lengths.copy()
        twin.sizes, twin.asked = self.sizes, self.asked
        twin.held, twin.kept, twin.free = self.held, self.kept, self.free
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return (
            (self.stage, self.shortage, self.freed, self.laundered),
            (self.at, self.first, self.vain, self.free),
            (self.sizes, self.asked, self.held, self.kept),
            tuple(sorted(self.lengths.items())),
            super().freeze(),
        )

    def waiting(self) -> list[str]:
        """Name a scan in flight."""
        return [f"it is in {self.stage.name}"] if self.stage is not Stage.IDLE else []

    def _pressure(self, _src: int, m: Pressure) -> list[Effect]:
        in_vain = self.stage is Stage.ASK_IN_VAIN
        if m.shortage <= 0:
            self.stage, self.vain = Stage.IDLE, 0
            return []
        if in_vain:
            self.vain += 1
            if self.vain >= self.settings.pageout_oom_seq:
                return self._tried_enough(m.free)
            self.stage = Stage.PAUSE
            return [Timer(_PAUSE_NS, Rescan(self.lane))]
        self.shortage = m.shortage
        self.freed = self.laundered = 0
        self.at = -1
        self.first = (self.first + 1) % len(self.vms)
        self.stage = Stage.SCAN
        return self._next()

    def _next(self) -> list[Effect]:
        """Go on with the next scan of the pass that is needed."""
        while self.at + 1 < QUEUES * len(self.vms):
            self.at += 1
            queue, number = divmod(self.at, len(self.vms))
            vm = self.vms[(self.first + number) % len(self.vms)]
            target = self._target(Queue(queue), vm)
            if target > 0:
                left = max(0, self.shortage - self.freed)
                return [Send(vm, Scan(self.lane, queue, target, left))]
        return self._ask()

    def _target(self, queue: Queue, vm: int) -> int:
        """Say how much is wanted of a queue of a vm.

        Every vm is asked for its holes, and says how long all its queues are.
        """
        left = self.shortage - self.freed
        if queue is Queue.HOLES:
            return max(1, left)
        if not self.lengths[vm][queue] or (queue is Queue.LAUNDRY and not self.settings.swaps):
            return 0
        if queue is Queue.ACTIVE:
            inactive = sum(
                n[Queue.INACTIVE] + n[Queue.NOREUSE] + n[Queue.LAUNDRY] // CLEAN_WEIGHT
                for n in self.lengths.values()
            )
            return (self.settings.marks.inactive + left - inactive) * CLEAN_WEIGHT
        return left

    def _scanned(self, src: int, m: Scanned) -> list[Effect]:
        self.lengths[src] = m.lengths
        self.freed += m.freed
        if self.at // len(self.vms) == Queue.LAUNDRY:
            self.laundered += m.moved
        return [Spend(m.ns), *self._next()]

    def _ask(self) -> list[Effect]:
        in_vain = not self.freed and not self.laundered
        if not in_vain:
            self.vain = 0
        self.stage = Stage.ASK_IN_VAIN if in_vain else Stage.ASK
        self.shortage = self.freed = self.laundered = self.at = 0
        self.lengths = {}
        return [Send(self.memory, PassEnded(self.lane, in_vain))]

    def _rescan(self, _src: int, _m: Rescan) -> list[Effect]:
        """The pause is over: ask anew, as frames may have been freed meanwhile."""
        self.stage = Stage.ASK
        return [Send(self.memory, PassEnded(self.lane, in_vain=False))]

    # Out of memory.

    def _tried_enough(self, free: int) -> list[Effect]:
        """Have a process killed, if this is the first domain; else leave that to it, and sleep.

        An operation that sleeps for frames waits at all domains, so the first one's page daemon has
        failed, too.
        FreeBSD has them vote (vm_pageout_mightbe_oom).
        """
        if self.settings.daemons[0] == self.me:
            return self._out_of_memory(free)
        self.stage, self.vain = Stage.IDLE, 0
        return [Send(self.memory, PassEnded(self.lane, in_vain=True, gives_up=True))]

    def _out_of_memory(self, free: int) -> list[Effect]:
        """Ask the vms which process is largest."""
        self.stage, self.vain, self.free = Stage.CENSUS, 0, free
        self.sizes, self.asked = (), self.vms
        self.held = self.kept = 0
        return [Send(vm, Census(self.lane)) for vm in self.vms]

    def _size(self, src: int, m: Sizes) -> list[Effect]:
        """Kill the largest process when all have answered; of equals the first."""
        self.sizes += tuple((src, *one) for one in m.sizes)
        self.asked = tuple(vm for vm in self.asked if vm != src)
        self.held += m.held
        self.kept += m.kept
        if self.asked:
            return []
        found, self.sizes = self.sizes, ()
        held, kept, free = self.held, self.kept, self.free
        self.held = self.kept = self.free = 0
        vm, asid, resident, swapped = max(
            found, key=lambda one: (one[2] + one[3], -one[1]), default=(-1, -1, 0, 0)
        )
        if resident + swapped:
            self.stage = Stage.KILL
            return [Send(vm, Kill(self.lane, asid, free))]
        if held or free + kept < self.settings.frames:
            # holes that an operation works on, or frames on their way
            self.stage = Stage.PAUSE
            return [Timer(_PAUSE_NS, Rescan(self.lane))]
        self.stage = Stage.IDLE
        return [Send(self.memory, PassEnded(self.lane, in_vain=True, gives_up=True))]

    def _return(self, _src: int, m: Return) -> list[Effect]:
        self.stage = Stage.ASK
        return [Spend(m.ns), Send(self.memory, PassEnded(self.lane, in_vain=False))]

    def _sleep(self, _src: int, m: Sleep) -> list[Effect]:
        return [Spend(m.ns)]

    def _wakeup(self, src: int, m: Wakeup) -> list[Effect]:
        return [Send(src, Step(m.op))]


PageDaemon.HANDLERS = {
    **KernelThread.HANDLERS,
    Pressure: PageDaemon._pressure,
    Scanned: PageDaemon._scanned,
    Rescan: PageDaemon._rescan,
    Sleep: PageDaemon._sleep,
    Wakeup: PageDaemon._wakeup,
    Sizes: PageDaemon._size,
    Return: PageDaemon._return,
}
