"""Where properties report; knows what is promised, and where the run is."""

from collections.abc import Callable
from typing import Self

from actors.messages import Call
from cluster.properties.violation import Violation
from kernel.policy.promises import Property
from kernel.units import page_span

#: further findings of a property are counted, not kept
_KEPT_PER_PROPERTY = 20


class Reports:
    """Findings so far; `delivery`, `actor` and `when` say where the run is."""

    __slots__ = (
        "actor", "call_name", "calls", "counts", "delivery", "found", "lane_name", "promised",
        "when",
    )  # fmt: skip

    def __init__(
        self,
        promised: frozenset[Property],
        lane_name: Callable[[int], str],
        call_name: Callable[[int], str],
    ) -> None:
        """Begin with no finding.

        lane_name: names threads and kernel threads; call_name: kinds of system calls.
        """
        self.promised = promised
        self.lane_name = lane_name
        self.call_name = call_name
        self.delivery = 0
        self.actor = -1
        self.when = 0
        #: the latest system call of each lane
        self.calls: dict[int, Call] = {}
        self.found: list[Violation] = []
        #: property -> how often it was broken
        self.counts: dict[str, int] = {}

    def add(self, broken: Property, text: str, asid: int, vpn: int, ops: tuple[int, ...]) -> None:
        """Report that a property does not hold."""
        count = self.counts.get(broken, 0) + 1
        self.counts = {**self.counts, broken: count}
        if count > _KEPT_PER_PROPERTY:
            return
        self.found = [
            *self.found,
            Violation(
                property=broken.value,
                promised=broken in self.promised,
                text=text,
                asid=asid,
                vpn=vpn,
                ops=ops,
                operations=tuple(map(self._operation, dict.fromkeys(ops))),
                delivery=self.delivery,
                actor=self.actor,
                when=self.when,
            ),
        ]

    def called(self, m: Call) -> None:
        """Note the latest system call of a lane."""
        self.calls[m.op] = m

    def _operation(self, lane: int) -> str:
        name, call = self.lane_name(lane), self.calls.get(lane)
        if call is None:
            return name
        kind = self.call_name(call.kind)
        start, end = page_span(call.va, call.length)
        return f"{name} ({kind} {start:#x}-{end:#x}, instruction {call.index})"

    def copy(self) -> Self:
        """Copy what was found so far; what is found is replaced, never changed."""
        twin = type(self)(self.promised, self.lane_name, self.call_name)
        twin.delivery, twin.actor, twin.when = self.delivery, self.actor, self.when
        twin.calls = self.calls.copy()
        twin.found, twin.counts = self.found, self.counts
        return twin
