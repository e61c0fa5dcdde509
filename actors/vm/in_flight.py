"""Operations in flight: each lane has one at most, and who runs it can be woken.

Owns the operations, and how many of them are awake, by address space and NUMA domain. Touches
nothing else of the vm.
"""

from collections.abc import Hashable
from typing import Any, Self

from actors.machine import Effect, ProtocolError, Send
from actors.message import Message
from actors.messages import Wakeup
from actors.operation import SLEEPING, OpState
from actors.settings import Settings
from actors.vm.op import Op


class InFlight:
    """Operations by lane, as they were left by their last step."""

    __slots__ = ("awake", "me", "ops", "settings")

    def __init__(self, me: int, settings: Settings) -> None:
        """Begin with none."""
        self.me = me
        self.settings = settings
        self.ops: dict[int, Op[Any]] = {}
        #: operations of cores that do not sleep, by address space: a count for each domain
        self.awake: dict[int, list[int]] = {}

    def clone(self) -> Self:
        """Copy the containers."""
        twin = type(self)(self.me, self.settings)
        twin.ops = self.ops.copy()
        twin.awake = {asid: counts.copy() for asid, counts in self.awake.items()}
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state; counts follow from it."""
        return tuple(sorted(self.ops.items()))

    def waiting(self) -> list[str]:
        """Name what each operation waits for."""
        return [
            f"operation {op.kind.name} of lane {op.lane} waits for {op.state.name}"
            for op in self.ops.values()
        ]

    def check_free(self, lane: int) -> None:
        """Require that a lane has no operation.

        Raises:
            ProtocolError: it has one.
        """
        if lane in self.ops:
            raise ProtocolError(f"lane {lane} already has an operation in flight: {self.ops[lane]}")

    def find(self, message: Message, lane: int, *states: OpState) -> Op[Any]:
        """Find the operation that a message is for; it must be in one of these states.

        Raises:
            ProtocolError: there is none, or it is in another state.
        """
        op = self.ops.get(lane)
        if op is None or op.state not in states:
            raise ProtocolError(f"vm {self.me} must not get {message!r} now: operation is {op}")
        return op

    def put(self, op: Op[Any]) -> None:
        """Keep an operation as its last step left it."""
        if not self.settings.fine:
            old = self.ops.get(op.lane)
            was = old is not None and old.state not in SLEEPING
            awake = op.state not in SLEEPING
            if awake is not was:
                self._count(op, 1 if awake else -1)
        self.ops[op.lane] = op

    def drop(self, lane: int) -> None:
        """Forget an operation that has ended, if it was ever kept."""
        op = self.ops.pop(lane, None)
        if op is not None and not self.settings.fine and op.state not in SLEEPING:
            self._count(op, -1)

    def _count(self, op: Op[Any], more: int) -> None:
        """Count an operation that falls asleep, wakes, begins or ends; kernel threads do not."""
        settings = self.settings
        if op.by >= settings.cores:
            return
        counts = self.awake.get(op.asid)
        if counts is None:
            counts = self.awake[op.asid] = [0] * len(settings.memories)
        counts[settings.domain_of(op.by)] += more

    def contention_ns(self, core: int, asid: int) -> int:
        """Return what an operation that begins pays for those of other threads of its space.

        The lock word, the counters and the page table's lock come from those threads' caches. An
        operation asleep touches none of them. Exploring has no time.
        """
        counts = self.awake.get(asid)
        if counts is None or not self.ops:
            return 0
        costs = self.settings.costs
        near = counts[self.settings.domain_of(core)]
        farther = sum(counts) - near if len(counts) > 1 else 0
        return near * costs.contention_ns + farther * costs.contention_other_domain_ns

    def wake(self, lane: int, out: list[Effect]) -> None:
        """Tell the initiator of a sleeping operation to go on with it."""
        out.append(Send(self.ops[lane].by, Wakeup(lane)))
