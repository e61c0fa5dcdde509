"""The checker: an observer that routes what each delivery says to those who judge it.

It sees what every message says and when, in any order that respects happens-before; its verdicts do
not depend on which. It reads a machine's state only right after that machine's own delivery.
"""

from collections.abc import Hashable, Iterable

from actors.machine import Effect, Machine, Send, Timer
from actors.message import Message
from cluster.properties import account
from cluster.properties.checkable import require_checkable
from cluster.properties.clock import Clock
from cluster.properties.judges import deliveries, sends, shown
from cluster.properties.known.given import given_by
from cluster.properties.known.known import EVERY_PART, ROOTS, Known, nothing_known
from cluster.properties.observed import Observed
from cluster.properties.reports import Reports
from cluster.properties.violation import Violation
from cluster.scenario.setup import Setup

#: timed runs recount the resident sets once in so many deliveries to a vm
_RECOUNT_EVERY = 1 << 14
#: runs that nobody copies forget what no verdict can depend on: once in so many deliveries they ask
#: whether there is as much as this, or much more than last time
_FORGET_EVERY = 1 << 14
_FORGET_FROM = 1 << 16
_RECEIVED = {kind: judge for kind, (judge, _) in deliveries.JUDGES.items()}
_GETS_ON = account.GETS_ON
_SENT = {kind: judge for kind, (judge, _) in sends.JUDGES.items()}
#: parts of what is known that are changed by a message received, by one sent
_BY_RECEIVED = {kind: changes for kind, (_, changes) in deliveries.JUDGES.items()}
_BY_SENT = {kind: changes for kind, (_, changes) in sends.JUDGES.items()}


class Checker:
    """Judges one run; `violations` are broken promises, `broken_unpromised` the rest, counted."""

    __slots__ = ("_forget_at", "_got_on", "_vm_deliveries", "known", "setup")

    def __init__(self, setup: Setup, known: Known | None = None) -> None:
        """Watch a run of `setup`, from its start or from where this much is known.

        The host names the machines as they start.

        Raises:
            InputError: the machine has too many cores to be watched.
        """
        self.setup = setup
        if known is None:
            require_checkable(setup)
            known = nothing_known(given_by(setup))
        self.known = known
        #: the delivery in which a thread got on last, or a page was zeroed
        self._got_on = 0
        self._vm_deliveries = 0
        #: how much there has to be until something is forgotten
        self._forget_at = _FORGET_FROM

    @property
    def reports(self) -> Reports:
        """Return what was found, whether promised or not."""
        return self.known.reports

    @property
    def violations(self) -> list[Violation]:
        """List the broken promises, in the order found; at most 20 a property."""
        return [v for v in self.reports.found if v.promised]

    @property
    def broken_unpromised(self) -> dict[str, int]:
        """Count what was broken without being promised."""
        promised = self.reports.promised
        return {p: n for p, n in sorted(self.reports.counts.items()) if p not in promised}

    # What hosts tell an observer.

    def noted(self, when: int, actor: int, fact: object) -> None:
        """Do nothing: what a machine says of itself is no evidence."""

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Get to know a machine, and what it sends before any delivery."""
        known = self.known
        known.machines.append(machine)
        self._answered(actor, effects, known.clocks.zero)

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        """Judge one delivery."""
        known = self.known
        reports = known.reports
        reports.delivery += 1
        reports.when = when
        reports.actor = dst
        clock, sent = known.clocks.receive(dst, src, seq)
        kind = message.__class__
        judge = _RECEIVED.get(kind)
        if judge is not None:
            judge(known, dst, src, message, effects, clock, sent)
            if kind in _GETS_ON:
                self._got_on = reports.delivery
        given = known.given
        if dst < given.cores:
            shown.look(known, dst, src, message, effects, clock, sent)
        if effects:
            self._answered(dst, effects, clock)
        if reports.delivery - self._got_on == account.LIVELOCK:
            account.report_livelock(reports)
        if given.is_vm[dst]:
            self._vm_deliveries += 1
            if known.roots.unheard or given.fine or not self._vm_deliveries % _RECOUNT_EVERY:
                self._after_vm(dst)
        if not reports.delivery % _FORGET_EVERY:
            self._forget()

    def _after_vm(self, vm: int) -> None:
        """Recount its resident sets, and forget what it has heard of."""
        known = self.known
        if known.given.fine or not self._vm_deliveries % _RECOUNT_EVERY:
            account.recount(known.observed, vm, known.reports, self._lanes())
        if known.roots.unheard:
            now, vms = known.clocks.now, known.given.vms
            for core in tuple(known.roots.unheard):
                known.roots.heard(core, [now[vm].latest(core).number for vm in vms])

    def _lanes(self) -> tuple[int, ...]:
        return tuple(sorted(self.known.calls.in_flight))

    def _answered(self, actor: int, effects: list[Effect], clock: Clock) -> None:
        """Judge what a machine sends in an event, and give it the clock; time does not matter."""
        known = self.known
        # counted here, without a call of its own for each message
        seqs, in_flight = known.clocks.counts(actor), known.clocks.in_flight
        for effect in effects:
            kind = effect.__class__
            if kind is Send:
                dst = effect.dst  # type: ignore[union-attr]
                seq = seqs[dst]
                seqs[dst] = seq + 1
                in_flight[actor, dst, seq] = clock
                consequence = _SENT.get(effect.message.__class__)  # type: ignore[union-attr]
                if consequence is not None:
                    consequence(known, actor, effect, clock)  # type: ignore[arg-type]
            elif kind is Timer:
                seq = seqs[actor]
                seqs[actor] = seq + 1
                in_flight[actor, actor, seq] = clock

    def _forget(self) -> None:
        """Forget what no verdict can depend on, if there may be enough of that."""
        known = self.known
        before = 0 if known.is_shared else known.size()
        if before < self._forget_at:
            return
        known.forget()
        left = known.size()
        self._forget_at = max(_FORGET_FROM, 2 * left if 4 * left < 3 * before else 4 * left)

    def finish(self, *, complete: bool) -> None:
        """Judge the end of a run; PROGRESS and the frames only if it is quiet."""
        observed, reports = self.known.observed, self.known.reports
        for vm in observed.vms():
            reports.actor = vm
            account.recount(observed, vm, reports, self._lanes())
        if complete and account.nothing_waits(observed, self.known.given.names, reports):
            account.every_frame_once(observed, reports)
            account.every_slot_once(observed, reports)

    # For exploring.

    def copy(self, machines: list[Machine], changes: int = EVERY_PART) -> "Checker":
        """Copy the containers, for another continuation of the run with these machines.

        changes: a mask of the parts of what is known that the next delivery may change.
        """
        twin = Checker(self.setup, self.known.copy(machines, changes))
        twin._got_on = self._got_on
        twin._vm_deliveries = self._vm_deliveries
        return twin

    def copy_for(
        self, machines: list[Machine], dst: int, message: Message, effects: list[Effect]
    ) -> "Checker":
        """Copy what a delivery to a machine changes; the machines are those after it."""
        known = self.known
        changes = _BY_RECEIVED.get(message.__class__, 0)
        for effect in effects:
            if effect.__class__ is Send:
                changes |= _BY_SENT.get(effect.message.__class__, 0)
        if dst < known.given.cores:
            changes |= shown.changes(known, Observed(machines), dst, message)
        elif known.roots.unheard and known.given.is_vm[dst]:
            changes |= ROOTS
        return self.copy(machines, changes)

    def freeze(self, in_flight: Iterable[tuple[int, int, int]]) -> Hashable:
        """Return, canonically, all that a later verdict may depend on.

        in_flight: (src, dst, seq) of all messages in flight, in an order that the caller's own
            state decides.
        """
        return self.known.freeze(in_flight)
