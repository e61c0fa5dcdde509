"""The checker: an observer that routes each delivery to the properties it concerns.

It sees what every message says and when, in any order that respects happens-before; its verdicts do
not depend on which. It reads a machine's state only right after that machine's own delivery.
"""

from collections.abc import Callable
from typing import ClassVar, Self

from actors.facts import (
    CoresCaughtUp,
    EntriesGone,
    Fact,
    Flushed,
    Granted,
    HoleSettled,
    PagePinned,
    Touched,
    TransferEnded,
)
from actors.machine import Effect, Machine, Note, Send, Timer
from actors.message import Message
from actors.messages import (
    Call,
    ChunkCopied,
    ChunkData,
    CopyChunk,
    DmaLoad,
    DmaStore,
    FillFrame,
    Frame,
    Free,
    Invalidated,
    Load,
    Loaded,
    PageOut,
    Return,
    Sleep,
    StartTransfer,
    Store,
    Switched,
    Taken,
    Translation,
    ZeroChunk,
)
from actors.operation import OpState
from actors.vm.machine import Vm
from cluster.properties import account
from cluster.properties.checker_state import CheckerState
from cluster.properties.clocks import At, Clock
from cluster.properties.frames import ORDERS
from cluster.properties.swap_contents import SwapContents
from kernel import pte as pte_bits
from kernel.stamp import stamp
from kernel.units import ASID_SHIFT

#: timed runs recount the resident sets once in so many deliveries to a vm
_RECOUNT_EVERY = 1 << 14
#: of what there are judges for, what has nothing to do with contents
_ONLY_TRANSLATIONS = frozenset({Switched, Flushed, EntriesGone})


class Checker(CheckerState):
    """Judges one run; `violations` are broken promises, `broken_unpromised` the rest, counted."""

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """Do nothing: facts are taken from the effects of the delivery that states them."""

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Get to know a machine, and what it sends before any delivery."""
        assert actor == len(self.machines), "machines start in order of their ids"
        self.machines.append(machine)
        self._answered(actor, effects, self.clocks.zero)

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        """Judge one delivery."""
        self.reports.delivery += 1
        self.reports.when = when
        self.reports.actor = dst
        clock, sent = self.clocks.receive(dst, src, seq)
        judge = self._JUDGES.get(message.__class__)
        if judge is not None:
            judge(self, dst, src, message, effects, clock, sent)
        self._answered(dst, effects, clock)
        self.livelock.delivered(self.reports)
        if self.setup.wiring.roles[dst] == "vm":
            self._vm_deliveries += 1
            if self.setup.settings.fine or self._vm_deliveries % _RECOUNT_EVERY == 0:
                account.recount(self._vm(dst), self.reports)

    def _answered(self, actor: int, effects: list[Effect], clock: Clock) -> None:
        """Judge what a machine sends and states in an event; time does not matter here."""
        send = self.clocks.send
        for effect in effects:
            kind = effect.__class__
            if kind is Send:
                send(actor, effect.dst, clock)  # type: ignore[union-attr]
                consequence = self._SENDS.get(effect.message.__class__)  # type: ignore[union-attr]
                if consequence is not None:
                    consequence(self, actor, effect, clock)
            elif kind is Note:
                fact = effect.fact  # type: ignore[union-attr]
                self.livelock.noted(fact)
                statement = self._FACTS.get(fact.__class__)
                if statement is not None:
                    statement(self, actor, fact, clock)
            elif kind is Timer:
                send(actor, actor, clock)

    def copy_for(self, machines: list[Machine], message: Message, effects: list[Effect]) -> Self:
        """Copy what a delivery changes; the machines are those behind it."""
        concerned = self._concerned(message, effects)
        if concerned - _ONLY_TRANSLATIONS:
            return self.copy(machines)
        return self.copy_sharing_contents(machines) if concerned else self.copy_sharing(machines)

    def _concerned(self, message: Message, effects: list[Effect]) -> set[type]:
        """Give the classes, of a delivery's message and effects, that there are judges for."""
        found: set[type] = {message.__class__} & self._JUDGES.keys()
        for e in effects:
            part = e.message if isinstance(e, Send) else e.fact if isinstance(e, Note) else None
            if part.__class__ in self._SENDS or part.__class__ in self._FACTS:
                found.add(part.__class__)
        return found

    def finish(self, *, complete: bool) -> None:
        """Judge the end of a run; PROGRESS and the frames only if it is quiet."""
        machines = self.machines
        for machine in machines:
            if isinstance(machine, Vm):
                self.reports.actor = machine.me
                account.recount(machine, self.reports)
        if complete:
            account.every_frame_once(machines, self.reports)
            account.every_slot_once(machines, self.reports)
            account.nothing_waits(machines, self.setup.wiring.names, self.reports)

    # Deliveries.

    def _load(
        self, dst: int, src: int, m: Load, effects: list[Effect], clock: Clock, sent: Clock
    ) -> None:
        self.contents.load(dst, src, m, _loaded(effects), sent, clock)

    def _store(
        self, dst: int, src: int, m: Store, _e: list[Effect], clock: Clock, _sent: Clock
    ) -> None:
        self.contents.store(src, m, At(dst, clock[dst]), clock)

    def _dma_store(
        self, dst: int, _src: int, m: DmaStore, _e: list[Effect], clock: Clock, _sent: Clock
    ) -> None:
        self.contents.device_stores(m, At(dst, clock[dst]))

    def _dma_load(
        self, dst: int, _src: int, m: DmaLoad, effects: list[Effect], clock: Clock, _sent: Clock
    ) -> None:
        self.contents.device_loads(dst, m, _loaded(effects), clock)

    def _zero_chunk(
        self, _dst: int, _src: int, m: ZeroChunk, _e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        self.contents.zero(m)

    def _fill_frame(
        self, _dst: int, _src: int, m: FillFrame, _e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        self.contents.frames.check_work(m.op, m.pfn, "filled from a file")

    def _copy_chunk(
        self, _dst: int, _src: int, m: CopyChunk, e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        answer = e[0]
        assert isinstance(answer, Send)
        here = isinstance(answer.message, ChunkCopied)
        self.contents.copy_chunk(m, self.setup.settings.chunks, arrived=here)

    def _chunk_data(
        self, _dst: int, _src: int, m: ChunkData, _e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        self.contents.copy_arrived(m.op, m.dst)

    def _swap(
        self, _dst: int, _src: int, m: Message, e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        self.contents.swap.delivered(m, e, self.contents.origin)

    def _freed(
        self, dst: int, _src: int, m: Free, _e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        if m.zeroed:
            account.zero_as_believed(self.machines[dst], m, self.reports)
        for pfn in m.pfns:
            self.contents.frames.freed(m.op, pfn)

    def _call(
        self, dst: int, _src: int, m: Call, _e: list[Effect], clock: Clock, sent: Clock
    ) -> None:
        self.reports.called(m)
        self.contents.effects.called(m, At(dst, clock[dst]), sent)

    def _invalidated(
        self, dst: int, _src: int, m: Invalidated, effects: list[Effect], clock: Clock, _sent: Clock
    ) -> None:
        vm = self._vm(dst)
        self.contents.effects.protected(m.op, At(dst, clock[dst]))
        asid = self.translations.removed.get(m.op, (0, ()))[0]
        if asid in vm.state.spaces:
            # taken away once more, here or by another operation: the shootdown of that follows
            again = {
                vpn
                for effect in effects
                if isinstance(effect, Note) and isinstance(effect.fact, EntriesGone)
                for vpn in effect.fact.vpns
            }
            self.translations.completed(m.op, vm, clock, again)

    # What is sent.

    def _translation(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Translation)
        asid = self.setup.settings.process_of[m.op]
        self.translations.filled(asid, send.dst, m, vm, clock)
        va = asid << ASID_SHIFT | m.vpn
        self.contents.frames.filled(send.dst, va, pte_bits.pfn_of(m.pte))

    def _switched(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Switched)
        if not m.keep:
            self.translations.must_flush(send.dst, m.asid, At(vm, clock[vm]))

    def _taken(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Taken)
        self._ordered(vm, send, clock)
        if self.watches_background:
            for _, pfn in m.pages:
                self.translations.background(m.op, pfn, self._vm(vm), clock)

    def _ordered(self, _vm: int, send: Send, _clock: Clock) -> None:
        m = send.message
        self.contents.frames.ordered(m.op, ORDERS[m.__class__](m))

    def _page_out(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, PageOut)
        self._ordered(vm, send, clock)
        account.no_hole_goes_out(self._vm(vm), m, self.reports)

    def _sleep(self, _vm: int, send: Send, _clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Sleep)
        if m.why == OpState.LOW_MEMORY:
            self.contents.effects.starts_over(m.op)

    def _free(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Free)
        for pfn in m.pfns:
            self.translations.freed(m.op, pfn, self._vm(vm), clock)
            self.contents.transfers.freed(m.op, pfn, clock)

    def _frame(self, _memory: int, send: Send, _clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Frame)
        self.contents.frames.handed_out(m.op, m.pfn)

    def _frame_arrived(
        self, _dst: int, _src: int, m: Frame, _e: list[Effect], _clock: Clock, _sent: Clock
    ) -> None:
        self.contents.frames.arrived(m.pfn)

    def _return(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, Return)
        self.contents.transfers.given_back(m.op)
        self.contents.effects.returned(m.op, m.error, At(vm, clock[vm]))

    def _start_transfer(self, vm: int, send: Send, clock: Clock) -> None:
        m = send.message
        assert isinstance(m, StartTransfer)
        call = self.reports.calls[m.op]
        self.contents.transfers.begins(m.op, stamp(m.op, call.index, 0))
        self.contents.effects.returned(m.op, 0, At(vm, clock[vm]))

    # What is stated.

    def _touched(self, core: int, fact: Touched, clock: Clock) -> None:
        if fact.write:
            self.contents.execute(core, fact.first, clock)

    def _page_pinned(self, _vm: int, fact: PagePinned, clock: Clock) -> None:
        self.contents.transfers.pinned(fact.op, fact.asid, fact.vpn, fact.pfn, clock)

    def _transfer_ended(self, device: int, fact: TransferEnded, clock: Clock) -> None:
        self.contents.transfers.ended(fact.name, At(device, clock[device]))

    def _flushed(self, core: int, fact: Flushed, clock: Clock) -> None:
        self.translations.flushed(core, fact.asid, fact.vpns, clock)

    def _entries_gone(self, _vm: int, fact: EntriesGone, _clock: Clock) -> None:
        self.translations.gone(fact.op, fact.asid, fact.vpns)

    def _cores_caught_up(self, vm: int, fact: CoresCaughtUp, clock: Clock) -> None:
        self.translations.gone(fact.op, fact.asid, fact.vpns)
        self.translations.completed(fact.op, self._vm(vm), clock, set())

    def _hole_settled(self, vm: int, fact: HoleSettled, clock: Clock) -> None:
        at = At(vm, clock[vm])
        self.contents.effects.settled(fact.asid, fact.start, fact.end, at)

    def _granted(self, vm: int, fact: Granted, clock: Clock) -> None:
        at = At(vm, clock[vm])
        self.contents.effects.granted(fact.op, fact.asid, fact.start, fact.end, at)

    # Routing.

    _JUDGES: ClassVar[dict[type, Callable[..., None]]] = {
        Load: _load,
        Store: _store,
        DmaStore: _dma_store,
        DmaLoad: _dma_load,
        ZeroChunk: _zero_chunk,
        CopyChunk: _copy_chunk,
        FillFrame: _fill_frame,
        ChunkData: _chunk_data,
        Free: _freed,
        Call: _call,
        Invalidated: _invalidated,
        Frame: _frame_arrived,
        **dict.fromkeys(SwapContents.JUDGES, _swap),
    }
    _SENDS: ClassVar[dict[type, Callable[..., None]]] = {
        Translation: _translation,
        Switched: _switched,
        **dict.fromkeys(ORDERS, _ordered),
        Taken: _taken,
        Sleep: _sleep,
        Free: _free,
        Frame: _frame,
        Return: _return,
        PageOut: _page_out,
        StartTransfer: _start_transfer,
    }
    _FACTS: ClassVar[dict[type, Callable[..., None]]] = {
        Touched: _touched,
        Flushed: _flushed,
        EntriesGone: _entries_gone,
        HoleSettled: _hole_settled,
        Granted: _granted,
        CoresCaughtUp: _cores_caught_up,
        PagePinned: _page_pinned,
        TransferEnded: _transfer_ended,
    }


def _loaded(effects: list[Effect]) -> tuple[int, ...]:
    answer = effects[0]
    assert isinstance(answer, Send) and isinstance(answer.message, Loaded)  # noqa: PT018
    return answer.message.stamps
