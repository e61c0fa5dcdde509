"""How a core takes shootdown interrupts, and broadcast invalidations.

An interrupt is taken between instructions with interrupts on: not while a load is in flight, not
during a context switch. Taking it means: acknowledge after the earlier stores, invalidate, go on.
To acknowledge before the invalidation is correct, since no user instruction runs in between; with
the hazard `ack-before-flush` one can. Source: FreeBSD invlop_handler.

Owns the interrupts that are held. Reads what `running` does; puts acknowledgements into `buffer`;
has `accesses` drop entries; reads whether a round of the core's own is in flight.
"""

from collections.abc import Hashable

from actors.core.accesses import Accesses
from actors.core.running import Running
from actors.core.store_buffer import StoreBuffer
from actors.core.values import LOAD, SWITCH, Buffered
from actors.initiator import Rounds
from actors.machine import Effect, Send, Spend
from actors.messages import Flush, Ipi, IpiAck, Tlbi, TlbiDone
from actors.settings import Settings
from kernel.hazards.switches import Hazard


class Interrupts:
    """Interrupts, taken or held."""

    __slots__ = ("accesses", "buffer", "held", "me", "rounds", "running", "settings")

    def __init__(
        self,
        me: int,
        settings: Settings,
        running: Running,
        buffer: StoreBuffer,
        accesses: Accesses,
        rounds: Rounds,
    ) -> None:
        """Begin with none held."""
        self.me = me
        self.settings = settings
        self.running = running
        self.buffer = buffer
        self.accesses = accesses
        self.rounds = rounds
        #: (initiator, message) that came while interrupts were off or an instruction not complete
        self.held: list[tuple[int, Ipi | Tlbi]] = []

    def clone(
        self, running: Running, buffer: StoreBuffer, accesses: Accesses, rounds: Rounds
    ) -> "Interrupts":
        """Copy the container; the arguments are the twin's."""
        twin = Interrupts(self.me, self.settings, running, buffer, accesses, rounds)
        twin.held = self.held.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.held)

    def waiting(self) -> list[str]:
        """Count the interrupts that are held."""
        return [f"{len(self.held)} interrupts are held"] if self.held else []

    def take(self, src: int, m: Ipi) -> list[Effect]:
        """Take an interrupt now, or hold it until the instruction or the switch is complete."""
        doing = self.running.doing
        if doing is LOAD or (doing is SWITCH and not self._switch_takes()):
            self.held.append((src, m))
            return []
        out: list[Effect] = []
        self._take(src, m, out)
        return out

    def _switch_takes(self) -> bool:
        return self.running.doing is SWITCH and bool(
            self.settings.hazards & Hazard.SWITCH_TAKES_INTERRUPTS
        )

    def take_broadcast(self, src: int, m: Tlbi) -> list[Effect]:
        """Drop the entries, whatever the core does: no interrupt, none of its time.

        It is done when the accesses that went through the old entries are complete: a load that
        memory has, stores in the buffer. Source: Arm ARM, DSB after TLBI; AMD APM, TLBSYNC.
        """
        out: list[Effect] = []
        self.accesses.drop(m, out)
        if self.rounds.in_flight:  # the interconnect serves both
            out.append(Spend(self.settings.costs.tlbi_per_issuer_ns))
        if self.running.doing is LOAD:
            self.held.append((src, m))
        else:
            self._done(src, m, out)
        return out

    def _done(self, src: int, m: Tlbi, out: list[Effect]) -> None:
        if self.buffer.entries:
            entry = Buffered(m.op, m.asid, ack_to=src, round=m.round, broadcast=True)
            self.buffer.push(entry, out)
        else:
            out.append(Send(src, TlbiDone(m.op, m.round)))

    def take_held(self, out: list[Effect]) -> None:
        """Take the interrupts that were held, at an instruction boundary."""
        held, self.held = self.held, []
        if self.settings.hazards & Hazard.LOST_ACK:
            for _, m in held[:-1]:
                if isinstance(m, Ipi):
                    self.accesses.flush(m, out)
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
        if self.buffer.entries and not hazards & Hazard.ACK_OVERTAKES_STORES:
            self.buffer.push(Buffered(m.op, m.asid, ack_to=src, round=m.round), out)
        else:
            out.append(Send(src, IpiAck(m.op, m.round)))
        if hazards & Hazard.ACK_BEFORE_FLUSH:
            out.append(Send(self.me, Flush(m.op, m.asid, m.vpns, m.about), costs.ipi_handler_ns))
            return
        if m.asid == self.running.asid or not self._switch_takes():
            self.accesses.flush(m, out)
        out.append(Spend(costs.ipi_handler_ns))

    def flush_late(self, m: Flush) -> list[Effect]:
        """Invalidate what was acknowledged before (a hazard)."""
        out: list[Effect] = []
        self.accesses.flush(m, out)
        return out
