"""Transfers of devices that a core's threads have asked for: begun, awaited, complete."""

from collections.abc import Hashable

from actors.core.killing import CoreKill
from actors.core.state import Phase
from actors.facts import CallEnded
from actors.guest.program import Dma, DmaWait, Guest
from actors.machine import Effect, Note, Send, Spend
from actors.messages import StartTransfer, Transfer, TransferDone
from actors.operation import OpKind
from actors.settings import Settings
from kernel.errors import Errno
from kernel.stamp import stamp
from kernel.units import PAGE_SIZE


class CoreTransfers(CoreKill):
    """The core's part of transfers."""

    def __init__(self, me: int, settings: Settings, guest: Guest) -> None:
        """Make an idle core that waits for no device."""
        super().__init__(me, settings, guest)
        #: transfers of each thread that are not complete
        self.transfers: dict[int, int] = {}

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        return super().freeze(), tuple(sorted(self.transfers.items()))

    def waiting(self) -> list[str]:
        """Name transfers, too, that are not complete."""
        found = [f"{n} transfers of thread {t} are not complete" for t, n in self.transfers.items()]
        return super().waiting() + found

    def start_transfer(self, _src: int, m: StartTransfer) -> list[Effect]:
        """Hand a transfer to pages that are pinned to the device, and return from the call."""
        self.expect(m, Phase.CALL)
        i = self.guest.at(self.thread, self.pc)
        assert isinstance(i, Dma)
        settings = self.settings
        name, offset = stamp(m.op, self.pc, 0), i.va % PAGE_SIZE
        vm = settings.vm_of[self.asid]
        transfer = Transfer(m.op, vm, name, i.write, offset, i.count, i.stride, m.pfns)
        out: list[Effect] = [
            Spend(m.ns + settings.costs.dma_submit_ns),
            Send(settings.devices[i.device], transfer),
            Note(CallEnded(m.op, OpKind.DMA, Errno.OK)),
        ]
        self.transfers[m.op] = self.transfers.get(m.op, 0) + 1
        self.part += 1
        self.phase = Phase.RUN
        self.run(out)
        return out

    def wait_for_transfers(self, _i: DmaWait, out: list[Effect]) -> bool:
        """Go on only when no transfer of the thread is under way."""
        if self.thread not in self.transfers:
            return self._next(out)
        return self.park(Phase.TRANSFER)

    def transfer_done(self, _src: int, m: TransferDone) -> list[Effect]:
        """A device interrupts: a transfer of a thread of this core is complete."""
        out: list[Effect] = [Spend(self.settings.costs.dma_done_ns)]
        left = self.transfers.pop(m.op) - 1
        if left:
            self.transfers[m.op] = left
        elif self.threads[m.op].phase is Phase.TRANSFER:
            self.ready(m.op, Phase.RUN, out)
        return out
