"""How a core takes shootdown interrupts.

An interrupt is taken between instructions with interrupts on: not while a load is in flight, not
during a context switch. Taking it means: acknowledge behind the earlier stores, invalidate, go on.
To acknowledge before the invalidation is correct, since no user instruction runs in between; with
the hazard `ack-before-flush` one can. Source: FreeBSD invlop_handler.
"""

from actors.core.state import Buffered, CoreState, Phase
from actors.facts import Flushed
from actors.machine import Effect, Note, Send, Spend
from actors.messages import Flush, Ipi, IpiAck, Tlbi, TlbiDone
from kernel.hazards.switches import Hazard

_UNINTERRUPTIBLE = (Phase.LOAD, Phase.SWITCH)


class CoreInterrupt(CoreState):
    """Interrupt handling."""

    def take_ipi(self, src: int, m: Ipi) -> list[Effect]:
        """Take an interrupt now, or hold it until the instruction or the switch is complete."""
        out: list[Effect] = []
        if self.phase in _UNINTERRUPTIBLE and not self._switch_takes():
            self.held.append((src, m))
        else:
            self._take(src, m, out)
        return out

    def _switch_takes(self) -> bool:
        return self.phase is Phase.SWITCH and bool(
            self.settings.hazards & Hazard.SWITCH_TAKES_INTERRUPTS
        )

    def take_tlbi(self, src: int, m: Tlbi) -> list[Effect]:
        """The TLB drops the entries, whatever the core does: no interrupt, none of its time.

        It is done when the accesses that went through the old entries are complete: a load that
        memory has, stores in the buffer. Source: Arm ARM, DSB after TLBI; AMD APM, TLBSYNC.
        """
        out: list[Effect] = []
        self.drop(m.op, m.asid, m.vpns, out)
        if self.rounds:  # one of our own is under way: the interconnect serves both
            out.append(Spend(self.settings.costs.tlbi_per_issuer_ns))
        if self.phase is Phase.LOAD:
            self.held.append((src, m))
        else:
            self._done(src, m, out)
        return out

    def _done(self, src: int, m: Tlbi, out: list[Effect]) -> None:
        if self.buffer:
            self.push(Buffered(m.op, m.asid, ack_to=src, round=m.round, broadcast=True), out)
        else:
            out.append(Send(src, TlbiDone(m.op, m.round)))

    def take_held(self, out: list[Effect]) -> None:
        """Take the interrupts that were held, at an instruction boundary."""
        held, self.held = self.held, []
        if held and self.settings.hazards & Hazard.LOST_ACK:
            for _, m in held[:-1]:
                if isinstance(m, Ipi):
                    self.invalidate(m, out)
            held = held[-1:]
        for src, m in held:
            if isinstance(m, Tlbi):
                self._done(src, m, out)
            else:
                self._take(src, m, out)

    def _take(self, src: int, m: Ipi, out: list[Effect]) -> None:
        costs = self.settings.costs
        hazards = self.settings.hazards
        out.append(Spend(costs.ipi_ack_ns))
        if self.buffer and not hazards & Hazard.ACK_OVERTAKES_STORES:
            self.push(Buffered(m.op, m.asid, ack_to=src, round=m.round), out)
        else:
            out.append(Send(src, IpiAck(m.op, m.round)))
        if hazards & Hazard.ACK_BEFORE_FLUSH:
            out.append(Send(self.me, Flush(m.op, m.asid, m.vpns), costs.ipi_handler_ns))
            return
        if m.asid == self.asid or not self._switch_takes():
            self.invalidate(m, out)
        out.append(Spend(costs.ipi_handler_ns))

    def invalidate(self, m: Ipi | Flush, out: list[Effect]) -> None:
        """Drop the entries, and any walk in flight for one of them."""
        self.drop(m.op, m.asid, m.vpns, out)
        costs = self.settings.costs
        each = costs.local_invalidate_page_ns * len(m.vpns)
        out.append(Spend(each if m.vpns else costs.local_flush_ns))

    def drop(self, op: int, asid: int, vpns: tuple[int, ...], out: list[Effect]) -> None:
        """Invalidate the TLB and kill a walk in flight."""
        self.tlb.invalidate(asid, vpns)
        out.append(Note(Flushed(op, asid, vpns)))
        killing = self.walk_vpn in vpns or not vpns
        if self.walk_vpn >= 0 and asid == self.asid and killing:
            self.walk_killed = not self.settings.hazards & Hazard.WALK_SURVIVES_FLUSH

    def flush_late(self, _src: int, m: Flush) -> list[Effect]:
        """Invalidate what was acknowledged before (a hazard)."""
        out: list[Effect] = []
        self.invalidate(m, out)
        return out
