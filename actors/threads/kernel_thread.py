"""What the page daemon and the zeroing thread share: kernel threads that initiate shootdowns.

A vm charges them the work of an operation that they run, and has them interrupt the cores. A core
initiates, too, but has a TLB of its own to invalidate meanwhile.
"""

from collections.abc import Hashable

from actors.initiator import Rounds
from actors.machine import Effect, Machine, Send, Spend
from actors.messages import IpiAck, Shoot, Step, TlbiDone, Work
from actors.settings import KERNEL_LANE, Settings


class KernelThread(Machine):
    """A machine with a lane of its own, and with rounds of interrupts in flight."""

    RECEIVES = Shoot | IpiAck | TlbiDone | Work

    def __init__(self, me: int, settings: Settings) -> None:
        """Make a thread that has initiated nothing."""
        self.me = me
        self.settings = settings
        self.lane = KERNEL_LANE + me
        self.rounds = Rounds(me, settings)

    def freeze(self) -> Hashable:
        """Return the canonical state of the rounds."""
        return self.rounds.freeze()

    def _shoot(self, src: int, m: Shoot) -> list[Effect]:
        out: list[Effect] = [Spend(m.ns)]
        self.rounds.shoot(src, m, out)
        return out

    def _acknowledged(self, src: int, m: IpiAck | TlbiDone) -> list[Effect]:
        out: list[Effect] = []
        self.rounds.acknowledge(src, m, out)
        return out

    def _work(self, src: int, m: Work) -> list[Effect]:
        return [Spend(m.ns), Send(src, Step(m.op))]


KernelThread.HANDLERS = {
    Shoot: KernelThread._shoot,
    IpiAck: KernelThread._acknowledged,
    TlbiDone: KernelThread._acknowledged,
    Work: KernelThread._work,
}
