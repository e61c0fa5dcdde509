"""Directed replay: make a live run again from what each receiver logged.

Every receiver has a queue of what it is to take next; it takes it as soon as the replayed sender
has sent it. No order between receivers is needed, and none is in the log: whatever order this
gives, each receiver sees what it saw. Memory is bounded by how far apart the receivers' logs were
collected.
"""

from collections import deque
from pathlib import Path

import msgspec

from cluster.hosts.channel import TIMER, Channel
from cluster.hosts.untimed import MachineFailedError, UntimedRun
from cluster.input_error import InputError
from cluster.replay.difference import DiffersError, Story
from cluster.trace.format import (
    Delivery,
    Order,
    ReceiverCheckpoint,
    Record,
    RunCheckpoint,
    TimerDelivery,
)
from cluster.trace.text import decode_delivery, delivery_line


class _Expected:
    """Deliveries that a receiver is to take from one channel, one after the other."""

    __slots__ = ("data", "lane", "left", "src")

    def __init__(self, src: int, lane: int, left: int, data: bytes | None = None) -> None:
        self.src = src
        self.lane = lane
        self.left = left
        #: what the one delivery must be, if the trace has it
        self.data = data


class Directed:
    """Feeds a `UntimedRun` from records; give it records with `expect`, then let it `advance`."""

    def __init__(self, run: UntimedRun, story: Story, where: Path) -> None:
        """Take over a run that has started; `where` is for messages."""
        self.run = run
        self.story = story
        self.where = where
        self.names = story.header.actors
        actors = len(self.names)
        self._queues: list[deque[_Expected | ReceiverCheckpoint]] = [deque() for _ in range(actors)]
        self._outer_record = run.record
        run.record = self._compare
        self._data: bytes | None = None
        #: what machines raised, by actor name; such a machine takes nothing any more
        self.failures: dict[str, str] = {}

    def expect(self, record: Record) -> None:
        """Queue what a receiver is to take next.

        Raises:
            InputError: the record is none of a live run.
        """
        if isinstance(record, RunCheckpoint):
            raise InputError(f"{self.where}: damaged: a live trace with a record of an inline one.")
        queue = self._queues[record.dst]
        if isinstance(record, Order):
            runs = iter(record.runs)
            queue.extend(_Expected(*run) for run in zip(runs, runs, runs, strict=True))
        elif isinstance(record, ReceiverCheckpoint):
            queue.append(record)
        else:
            queue.append(self._in_full(record))
        self.run.woken[record.dst] = None

    def _in_full(self, record: Delivery | TimerDelivery) -> _Expected:
        try:
            src, _, _, message = decode_delivery(record.data)
        except msgspec.MsgspecError as e:
            raise InputError(f"{self.where}: damaged: holds a message that is none: {e}.") from e
        if isinstance(record, TimerDelivery):
            src = TIMER
        return _Expected(src, message.op, 1, record.data)

    def advance(self) -> None:
        """Deliver until no receiver can go on.

        Raises:
            DiffersError: a message or a digest is another than recorded.
        """
        woken = self.run.woken
        while woken:
            dst = next(iter(woken))
            del woken[dst]
            if self.names[dst] not in self.failures:
                self._serve(dst)

    def _serve(self, dst: int) -> None:
        queue, run = self._queues[dst], self.run
        while queue:
            item = queue[0]
            if isinstance(item, ReceiverCheckpoint):
                self._check(item)
            else:
                channel = (dst, item.src, item.lane)
                self._data = item.data
                while item.left and channel in run.mailboxes:
                    item.left -= 1
                    if not self._deliver(channel):
                        return
                if item.left:
                    return
            queue.popleft()

    def _deliver(self, channel: Channel) -> bool:
        """Deliver; False if the machine failed."""
        try:
            self.run.deliver(channel)
        except MachineFailedError as e:
            self.failures[self.names[e.actor]] = e.text
            return False
        return True

    def _compare(self, channel: Channel, data: bytes) -> None:
        """Compare a message with the recorded one, before the machine hears it."""
        if self._data is not None and data != self._data:
            raise self._another(channel, self._data, data)
        if self._outer_record is not None:
            self._outer_record(channel, data)

    def _another(self, channel: Channel, recorded: bytes, replayed: bytes) -> DiffersError:
        dst, src, lane = channel

        def line(data: bytes) -> str:
            origin, _, _, message = decode_delivery(data)
            return delivery_line(self.story.header, 0, dst, origin, message, timer=src == TIMER)

        return self.story.difference(
            recorded=line(recorded), replayed=line(replayed), receiver=dst, lane=lane
        )

    def _check(self, checkpoint: ReceiverCheckpoint) -> None:
        """Compare the receiver's digest."""
        dst = checkpoint.dst
        count = self.run.received[dst]
        if count != checkpoint.deliveries:
            raise InputError(
                f"{self.where}: damaged: a checkpoint after {checkpoint.deliveries:,} deliveries "
                f"to {self.names[dst]} stands after {count:,}."
            )
        digest = self.run.digest.receiver(dst)
        if digest != checkpoint.digest:
            raise self.story.difference(
                recorded=f"digest {checkpoint.digest.hex()} of {count:,} deliveries",
                replayed=f"digest {digest.hex()}: one since the checkpoint before is another",
                receiver=dst,
            )

    # What cannot go on.

    def stuck(self) -> list[int]:
        """List the receivers that have something left to take."""
        return [dst for dst in range(len(self.names)) if self._next(dst) is not None]

    def left_over(self) -> int:
        """Count the deliveries that are left to take."""
        return sum(item.left for q in self._queues for item in q if isinstance(item, _Expected))

    def why_stuck(self) -> DiffersError:
        """Tell why the log cannot be followed to its end, at the receiver that it starts from."""
        circle = self._roots()
        dst = circle[0]
        item = self._expected(dst)
        failure = self.failures.get(self.names[dst])
        if failure is not None:
            replayed = f"{self.names[dst]} fails: {failure}"
        else:
            waiting = sorted(self._channel_text(c) for c in self.run.mailboxes.at(dst))
            replayed = "nothing was sent there; messages wait from " + (
                ", ".join(waiting[:8]) or "nobody"
            )
        wants = (
            f"{self.names[d]} takes a message from {self._channel_text((d, e.src, e.lane))}"
            for d in circle
            for e in (self._expected(d),)
        )
        return self.story.difference(
            recorded="; ".join(wants), replayed=replayed, receiver=dst, lane=item.lane
        )

    def _next(self, dst: int) -> _Expected | None:
        for item in self._queues[dst]:
            if isinstance(item, _Expected) and item.left:
                return item
        return None

    def _expected(self, dst: int) -> _Expected:
        item = self._next(dst)
        assert item is not None
        return item

    def _roots(self) -> list[int]:
        """Go from receiver to awaited sender while that is stuck itself.

        Of a circle of waits return all, first who leaves untaken most of what it was sent: that
        one should have gone on.
        """
        stuck = self.stuck()
        path = [stuck[0]]
        while True:
            dst = path[-1]
            item = self._expected(dst)
            src = dst if item.src == TIMER else item.src
            if src not in stuck or self.names[dst] in self.failures:
                return [dst]
            if src in path:
                circle = path[path.index(src) :]
                return sorted(circle, key=lambda d: -len(self.run.mailboxes.at(d)))
            path.append(src)

    def _channel_text(self, channel: Channel) -> str:
        _, src, lane = channel
        sender = self.names[src] if 0 <= src < len(self.names) else "its timers"
        return f"{sender} on lane {self.story.header.lane_name(lane)}"
