"""The initiator's half of a shootdown: interrupt the targets, collect acknowledgements.

Whoever runs the operation initiates: a core, or a kernel thread. The initiator waits with
interrupts on (two initiators would deadlock otherwise): it takes interrupts between messages.
Source: FreeBSD smp_targeted_tlb_shootdown with its per-initiator scoreboard (r363195).

`Rounds` owns the rounds in flight and touches nothing else.
"""

from collections.abc import Hashable

from actors.facts import Shooting, Shot
from actors.machine import Effect, Note, ProtocolError, Send, Spend
from actors.messages import Invalidated, Ipi, IpiAck, Shoot, Tlbi, TlbiDone
from actors.round import Round
from actors.settings import Settings
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate

_BROADCAST = Invalidate.BROADCAST


class Rounds:
    """Rounds that one machine has initiated, one an operation."""

    __slots__ = ("in_flight", "me", "settings")

    def __init__(self, me: int, settings: Settings) -> None:
        """Begin with none in flight."""
        self.me = me
        self.settings = settings
        self.in_flight: dict[int, Round] = {}

    def clone(self) -> "Rounds":
        """Copy the container."""
        twin = Rounds(self.me, self.settings)
        twin.in_flight = self.in_flight.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted((op, r.freeze()) for op, r in self.in_flight.items()))

    def waiting(self) -> list[str]:
        """Name the cores that have not acknowledged."""
        return [
            f"shootdown of lane {op} lacks {sorted(r.pending)}" for op, r in self.in_flight.items()
        ]

    def shoot(self, vm: int, m: Shoot, out: list[Effect]) -> None:
        """Send a round's interrupts, or the broadcast; with no targets it is complete at once."""
        if self.settings.policy.invalidate is _BROADCAST:
            self._broadcast(vm, m, out)
            return
        targets = m.targets
        if not targets:
            out.append(Send(vm, Invalidated(m.op, m.round)))
            return
        message = Ipi(m.op, m.round, m.asid, m.vpns, m.about)
        out.append(Note(Shooting(m.op, len(targets))))
        send_ns, me = self.settings.ipi_send_ns, self.me
        for target in targets:
            out.append(Spend(send_ns(me, target)))
            out.append(Send(target, message))
        self.in_flight[m.op] = Round(vm, m.round, len(targets), frozenset(targets))

    def _broadcast(self, vm: int, m: Shoot, out: list[Effect]) -> None:
        costs = self.settings.costs
        targets = [core for core in range(self.settings.cores) if core != self.me]
        issued = -(-len(m.vpns) // costs.tlbi_pages) or 1  # no pages: the whole space, at once
        out.append(Spend(costs.tlbi_issue_ns * issued))
        if not targets:
            out.append(Send(vm, Invalidated(m.op, m.round)))
            return
        message = Tlbi(m.op, m.round, m.asid, m.vpns, m.about)
        out.append(Note(Shooting(m.op, 0)))
        out.extend(Send(target, message) for target in targets)
        if self.settings.hazards & Hazard.BROADCAST_WITHOUT_WAITING:
            out.append(Note(Shot(m.op, 0)))
            out.append(Send(vm, Invalidated(m.op, m.round)))
            return
        self.in_flight[m.op] = Round(vm, m.round, 0, frozenset(targets))

    def acknowledge(self, src: int, m: IpiAck | TlbiDone, out: list[Effect]) -> None:
        """Count one acknowledgement; the last completes the round.

        Raises:
            ProtocolError: `src` owes none.
        """
        if isinstance(m, TlbiDone) and self.settings.hazards & Hazard.BROADCAST_WITHOUT_WAITING:
            return
        current = self.in_flight.get(m.op)
        if current is None or current.number != m.round or src not in current.pending:
            raise ProtocolError(f"{m!r} from {src}, but the round is {current}")
        left = current.pending - {src}
        if left:
            self.in_flight[m.op] = Round(current.vm, current.number, current.targets, left)
            return
        del self.in_flight[m.op]
        if isinstance(m, TlbiDone):
            out.append(Spend(self.settings.costs.tlbi_wait_ns))
        out.append(Note(Shot(m.op, current.targets)))
        out.append(Send(current.vm, Invalidated(m.op, current.number)))
