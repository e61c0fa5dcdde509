"""The initiator's half of a shootdown: interrupt the targets, collect acknowledgements.

Whoever runs the operation initiates: a core, or a kernel thread. The initiator waits with
interrupts on (two initiators would deadlock otherwise): it takes interrupts between messages.
Source: FreeBSD smp_targeted_tlb_shootdown with its per-initiator scoreboard (r363195).
"""

import msgspec

from actors.facts import Shooting, Shot
from actors.machine import Effect, Note, ProtocolError, Send, Spend
from actors.messages import Invalidated, Ipi, IpiAck, Shoot, Tlbi, TlbiDone
from actors.settings import Settings
from kernel.policy.keys import Invalidate


class Round(msgspec.Struct, frozen=True, gc=False):
    """A shootdown round in flight: who asked for it, who has not acknowledged yet."""

    vm: int
    number: int
    targets: int
    pending: frozenset[int]

    def freeze(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Give the canonical state."""
        return self.vm, self.number, self.targets, tuple(sorted(self.pending))


def shoot(
    rounds: dict[int, Round], vm: int, m: Shoot, settings: Settings, me: int, out: list[Effect]
) -> None:
    """Send the interrupts of a round, or the broadcast; with no targets it is complete at once."""
    costs = settings.costs
    targets = m.targets
    if settings.policy.invalidate is Invalidate.BROADCAST:
        targets = tuple(core for core in range(settings.cores) if core != me)
        issued = -(-len(m.vpns) // costs.tlbi_pages) or 1  # no pages: the whole space, at once
        out.append(Spend(costs.tlbi_issue_ns * issued))
        message: Ipi | Tlbi = Tlbi(m.op, m.round, m.asid, m.vpns)
    else:
        message = Ipi(m.op, m.round, m.asid, m.vpns)
    if not targets:
        out.append(Send(vm, Invalidated(m.op, m.round)))
        return
    interrupts = len(targets) if isinstance(message, Ipi) else 0
    out.append(Note(Shooting(m.op, interrupts)))
    for target in targets:
        if isinstance(message, Ipi):
            out.append(Spend(settings.ipi_send_ns(me, target)))
        out.append(Send(target, message))
    rounds[m.op] = Round(vm, m.round, interrupts, frozenset(targets))


def acknowledge(
    rounds: dict[int, Round],
    src: int,
    m: IpiAck | TlbiDone,
    settings: Settings,
    out: list[Effect],
) -> None:
    """Count one acknowledgement; the last completes the round.

    Raises:
        ProtocolError: `src` owes none.
    """
    current = rounds.get(m.op)
    if current is None or current.number != m.round or src not in current.pending:
        raise ProtocolError(f"{m!r} from {src}, but the round is {current}")
    left = current.pending - {src}
    if left:
        rounds[m.op] = Round(current.vm, current.number, current.targets, left)
        return
    del rounds[m.op]
    if isinstance(m, TlbiDone):
        out.append(Spend(settings.costs.tlbi_wait_ns))
    out.append(Note(Shot(m.op, current.targets)))
    out.append(Send(current.vm, Invalidated(m.op, current.number)))
