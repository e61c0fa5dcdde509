"""The page daemon of one memory domain: reclaims holes and MADV_FREE pages from hints.

Hints are kept as they come, each page once; when memory presses, they are turned into reclaims,
one at a time, until the shortage is met or no hint is left. It initiates its shootdowns. Pages
that are neither holes nor free, and swap, come with the whole page daemon.
Source: FreeBSD vm_pageout.c, one worker a domain.
"""

from collections.abc import Hashable
from typing import ClassVar

from actors.initiator import Round, acknowledge, shoot
from actors.machine import Effect, Handler, Machine, Send, Spend
from actors.message import PageKey
from actors.messages import (
    Hint,
    IpiAck,
    Pressure,
    Reclaim,
    Return,
    Shoot,
    Step,
    Work,
)
from actors.settings import KERNEL_LANE, Settings

#: pages of one reclaim; the kernel's batch queue has a size of this order
_BATCH_MAX = 64


class PageDaemon(Machine):
    """A kernel thread with one reclaim in flight at most."""

    ROLE = "pagedaemon"
    RECEIVES = Hint | Pressure | Return | Shoot | IpiAck | Work

    def __init__(self, me: int, settings: Settings) -> None:
        """Make an idle page daemon."""
        self.me = me
        self.settings = settings
        self.lane = KERNEL_LANE + me
        #: (vm, page), oldest first
        self.hints: dict[tuple[int, PageKey], None] = {}
        #: frames still wanted
        self.shortage = 0
        self.reclaiming = False
        self.rounds: dict[int, Round] = {}

    def freeze(self) -> Hashable:
        """Give the canonical state."""
        rounds = tuple(sorted((op, r.freeze()) for op, r in self.rounds.items()))
        return tuple(self.hints), self.shortage, self.reclaiming, rounds

    def waiting(self) -> list[str]:
        """Name a reclaim in flight."""
        return ["a reclaim is in flight"] if self.reclaiming else []

    def _hint(self, src: int, m: Hint) -> list[Effect]:
        for key in m.keys:
            self.hints[src, key] = None
        return self._next()

    def _pressure(self, _src: int, m: Pressure) -> list[Effect]:
        self.shortage = max(self.shortage, m.shortage)
        return self._next()

    def _next(self) -> list[Effect]:
        if self.reclaiming or self.shortage <= 0 or not self.hints:
            return []
        vm, (oid, _) = next(iter(self.hints))
        keys: list[PageKey] = []
        for at, key in self.hints:
            if (at, key[0]) != (vm, oid) or len(keys) >= _BATCH_MAX:
                break
            keys.append(key)
        for key in keys:
            del self.hints[vm, key]
        self.reclaiming = True
        return [Send(vm, Reclaim(self.lane, tuple(keys)))]

    def _return(self, _src: int, m: Return) -> list[Effect]:
        self.reclaiming = False
        self.shortage = max(0, self.shortage - m.value)
        return [Spend(m.ns), *self._next()]

    def _shoot(self, src: int, m: Shoot) -> list[Effect]:
        out: list[Effect] = [Spend(m.ns)]
        shoot(self.rounds, src, m, self.settings, self.me, out)
        return out

    def _ipi_ack(self, src: int, m: IpiAck) -> list[Effect]:
        out: list[Effect] = []
        acknowledge(self.rounds, src, m, out)
        return out

    def _work(self, src: int, m: Work) -> list[Effect]:
        return [Spend(m.ns), Send(src, Step(m.op))]

    HANDLERS: ClassVar[dict[type, Handler]] = {
        Hint: _hint,
        Pressure: _pressure,
        Return: _return,
        Shoot: _shoot,
        IpiAck: _ipi_ack,
        Work: _work,
    }
