"""Transfers of devices that a core's threads have asked for: begun, awaited, complete.

Owns how many of each thread are under way. Touches `running`, whose call returns once a transfer is
handed over; has `scheduler` park a thread that waits for its transfers.
"""

from collections.abc import Hashable

from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.values import CALL, RUN, TRANSFER
from actors.facts import CallEnded
from actors.guest.program import Dma, DmaWait
from actors.machine import Effect, Note, Send, Spend
from actors.messages import StartTransfer, Transfer, TransferDone
from actors.operation import OpKind
from actors.settings import Settings
from kernel.errors import Errno
from kernel.stamp import stamp
from kernel.units import PAGE_SIZE


class Transfers:
    """The core's part of transfers."""

    __slots__ = ("running", "scheduler", "settings", "under_way")

    def __init__(self, settings: Settings, running: Running, scheduler: Scheduler) -> None:
        """Begin with none under way."""
        self.settings = settings
        self.running = running
        self.scheduler = scheduler
        #: transfers of each thread that are not complete
        self.under_way: dict[int, int] = {}

    def clone(self, running: Running, scheduler: Scheduler) -> "Transfers":
        """Copy the container; the arguments are the twin's."""
        twin = Transfers(self.settings, running, scheduler)
        twin.under_way = self.under_way.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.under_way.items()))

    def waiting(self) -> list[str]:
        """Count the transfers that are not complete, thread by thread."""
        return [f"{n} transfers of thread {t} are not complete" for t, n in self.under_way.items()]

    def start(self, m: StartTransfer) -> list[Effect]:
        """Hand a transfer to pages that are pinned to the device, and return from the call."""
        running = self.running
        running.expect(m, CALL)
        i = running.instruction()
        assert isinstance(i, Dma)
        settings = self.settings
        name, offset = stamp(m.op, running.pc, 0), i.va % PAGE_SIZE
        vm = settings.vm_of[running.asid]
        transfer = Transfer(m.op, vm, name, i.write, offset, i.count, i.stride, m.pfns)
        self.under_way[m.op] = self.under_way.get(m.op, 0) + 1
        running.part += 1
        running.doing = RUN
        return [
            Spend(m.ns + settings.costs.dma_submit_ns),
            Send(settings.devices[i.device], transfer),
            Note(CallEnded(m.op, OpKind.DMA, Errno.OK)),
        ]

    def wait(self, _i: DmaWait, out: list[Effect]) -> bool:
        """Go on only when no transfer of the thread is under way."""
        if self.running.thread not in self.under_way:
            return self.running.advance(out)
        return self.scheduler.park(TRANSFER)

    def end(self, m: TransferDone) -> bool:
        """Count a transfer that is complete; True if its thread waits and this was the last."""
        left = self.under_way.pop(m.op) - 1
        if left:
            self.under_way[m.op] = left
            return False
        return self.scheduler.threads[m.op].doing is TRANSFER
