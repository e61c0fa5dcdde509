"""What the page daemon and the zeroing thread share: kernel threads that initiate shootdowns.

A vm charges them the work of an operation that they run, and has them interrupt the cores. A core
initiates, too, but has a TLB of its own to invalidate meanwhile.
"""

from collections.abc import Hashable
from typing import ClassVar

from actors.initiator import Round, acknowledge, shoot
from actors.machine import Effect, Handler, Machine, Send, Spend
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
        self.rounds: dict[int, Round] = {}

    def freeze(self) -> Hashable:
        """Give the canonical state of the rounds."""
        return tuple(sorted((op, r.freeze()) for op, r in self.rounds.items()))

    def _shoot(self, src: int, m: Shoot) -> list[Effect]:
        out: list[Effect] = [Spend(m.ns)]
        shoot(self.rounds, src, m, self.settings, self.me, out)
        return out

    def _acknowledged(self, src: int, m: IpiAck | TlbiDone) -> list[Effect]:
        out: list[Effect] = []
        acknowledge(self.rounds, src, m, self.settings, out)
        return out

    def _work(self, src: int, m: Work) -> list[Effect]:
        return [Spend(m.ns), Send(src, Step(m.op))]

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Shoot: _shoot,
        IpiAck: _acknowledged,
        TlbiDone: _acknowledged,
        Work: _work,
    }
