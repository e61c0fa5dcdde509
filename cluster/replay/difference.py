"""Where a replay departs from what was recorded, told so that a reader can start from it."""

from collections import deque

import msgspec

from actors.facts import Fact
from actors.machine import Effect, Machine
from actors.message import Message
from cluster.trace.format import Header
from cluster.trace.text import delivery_line

#: lines kept of each operation
_STORY_LINES = 30


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first difference between a trace and its replay."""

    #: deliveries replayed before it (of a digest: up to the checkpoint that shows it)
    delivery: int
    #: actor at which it shows; "" if it is the run as a whole
    receiver: str = ""
    #: operation in whose course it shows; "" if that cannot be told
    lane: str = ""
    recorded: str
    replayed: str
    #: the operation's last deliveries before it
    story: tuple[str, ...] = ()

    def text(self) -> str:
        """Tell it in lines."""
        place = f" at {self.receiver}" if self.receiver else ""
        lines = [
            f"first difference after {self.delivery:,} deliveries{place}",
            f"  recorded: {self.recorded}",
            f"  replayed: {self.replayed}",
        ]
        if self.story:
            lines.append(f"  before it, operation {self.lane}:")
            lines += [f"    {line}" for line in self.story]
        return "\n".join(lines)


class DiffersError(Exception):
    """Carries a difference out of a host."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.recorded)
        self.difference = difference


class Story:
    """An observer that keeps the last deliveries of every operation."""

    def __init__(self, header: Header) -> None:
        """Start with nothing told."""
        self.header = header
        self._last: dict[int, deque[tuple[int, int, int, Message]]] = {}
        #: lane of the latest delivery to each receiver
        self._lane_at: dict[int, int] = {}
        self.deliveries = 0

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Leave starts out: the story begins with the first delivery."""

    def delivered(  # noqa: D102 - as Observer
        self,
        when: int,
        dst: int,
        src: int,
        seq: int,  # noqa: ARG002 - as Observer
        message: Message,
        effects: list[Effect],  # noqa: ARG002 - as Observer
    ) -> None:
        self.deliveries += 1
        lane = message.op
        self._lane_at[dst] = lane
        kept = self._last.get(lane)
        if kept is None:
            kept = self._last[lane] = deque(maxlen=_STORY_LINES)
        kept.append((when, dst, src, message))

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """Leave facts out: they follow from the deliveries."""

    def difference(
        self,
        *,
        recorded: str,
        replayed: str,
        receiver: int | None = None,
        lane: int | None = None,
    ) -> DiffersError:
        """Make the difference; without a lane it tells what the receiver did last."""
        if lane is None and receiver is not None:
            lane = self._lane_at.get(receiver)
        lines = () if lane is None else self._last.get(lane, ())
        return DiffersError(
            Difference(
                delivery=self.deliveries,
                receiver="" if receiver is None else self.header.actors[receiver],
                lane="" if lane is None else self.header.lane_name(lane),
                recorded=recorded,
                replayed=replayed,
                story=tuple(delivery_line(self.header, *line) for line in lines),
            )
        )
