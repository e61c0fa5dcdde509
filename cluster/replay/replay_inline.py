"""Replay of inline traces: the same host again, compared at every record."""

from collections.abc import Callable, Iterator

import msgspec

from actors.wiring import build
from cluster.hosts.host import Listener, Observer
from cluster.hosts.inline import InlineHost
from cluster.hosts.untimed import failure_text
from cluster.input_error import InputError
from cluster.replay.difference import DiffersError, Story
from cluster.scenario.setup import Setup
from cluster.trace.format import CHECKPOINT_EVERY, Delivery, Record, RunCheckpoint
from cluster.trace.reader import TraceReader
from cluster.trace.text import decode_delivery, delivery_line

#: told (dst, digested bytes, whether it is a timer's) of each delivery, before it is handled
DeliveryHook = Callable[[int, bytes, bool], None]


class _RecordedEndError(Exception):
    """A trace without a last record has nothing more to compare with."""


class InlineReplay:
    """One replay of an inline trace, full or order."""

    def __init__(
        self,
        reader: TraceReader,
        setup: Setup,
        *,
        observers: tuple[Observer, ...] = (),
        listeners: tuple[Listener, ...] = (),
        record: DeliveryHook | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Set up; see `cluster.replay.replaying.replay` for the arguments."""
        self.reader = reader
        self.story = Story(reader.header)
        self._outer_record = record
        self._progress = progress
        self._full = reader.header.kind == "full"
        self._records: Iterator[Record] = iter(reader)
        self.host = InlineHost(
            setup.wiring,
            build(setup.wiring, setup.settings, setup.guest),
            setup.latency(),
            observers=(self.story, *observers),
            listeners=listeners,
            record=self._compare if self._full else self._hand_on if record else None,
        )
        self.failures: dict[str, str] = {}

    def run(self) -> None:
        """Replay to the end of the trace.

        Raises:
            DiffersError: the replay departs from the trace.
            InputError: the trace is damaged.
        """
        end = self.reader.end
        self.host.start()
        try:
            if not self._full:
                self._to_checkpoints()
            self._run_to(end.deliveries if end is not None else None)
            self._check_exhausted()
        except (DiffersError, InputError, OSError):
            raise  # OSError: of whoever hears the replay, as machines do no I/O
        except _RecordedEndError:
            return
        except Exception as e:  # noqa: BLE001 - whatever a machine raises is how its run ended
            self.failures["run"] = failure_text(e)

    def _run_to(self, deliveries: int | None) -> None:
        """Run up to so many deliveries in all; None: as far as a full trace goes."""
        host = self.host
        if deliveries is None and not self._full:
            return
        while deliveries is None or host.deliveries < deliveries:
            pause = CHECKPOINT_EVERY
            if deliveries is not None:
                pause = min(pause, deliveries - host.deliveries)
            quiescent = host.run(pause_after=pause)
            if self._progress is not None:
                self._progress(host.deliveries)
            if quiescent:
                break
        if deliveries is not None and host.deliveries < deliveries:
            raise self.story.difference(
                recorded=f"{deliveries:,} deliveries",
                replayed=f"nothing is in flight any more after {host.deliveries:,}",
            )

    def _to_checkpoints(self) -> None:
        for record in self._records:
            if not isinstance(record, RunCheckpoint):
                raise InputError(f"{self.reader.path}: damaged: holds a record of a live trace.")
            if record.deliveries < self.host.deliveries:
                raise InputError(f"{self.reader.path}: damaged: its checkpoints go backwards.")
            before = self.host.deliveries
            self._run_to(record.deliveries)
            digest = self.host.digest.combined()
            if digest != record.digest:
                raise self.story.difference(
                    recorded=f"digest {record.digest.hex()} of {record.deliveries:,} deliveries",
                    replayed=f"digest {digest.hex()}: one of the deliveries since {before:,} is "
                    "another (a full trace tells which)",
                )

    # Full traces.

    def _check_exhausted(self) -> None:
        if self._full and self._next_recorded() is not None:
            raise InputError(
                f"{self.reader.path}: damaged: holds more deliveries than it says at its end."
            )

    def _next_recorded(self) -> Delivery | None:
        for record in self._records:
            if isinstance(record, Delivery):
                return record
            if not isinstance(record, RunCheckpoint):  # every byte is compared: not needed here
                raise InputError(f"{self.reader.path}: damaged: holds a record of a live trace.")
        return None

    def _compare(self, dst: int, data: bytes) -> None:
        recorded = self._next_recorded()
        if recorded is None:
            if self.reader.end is None:
                raise _RecordedEndError
            raise InputError(
                f"{self.reader.path}: damaged: holds fewer deliveries than it says at its end."
            )
        if recorded.dst != dst or recorded.data != data:
            raise self.story.difference(
                recorded=self._line(recorded.dst, recorded.data),
                replayed=self._line(dst, data),
                receiver=dst,
                lane=decode_delivery(data)[3].op,
            )
        if self._outer_record is not None:
            self._outer_record(dst, data, False)  # noqa: FBT003 - the caller's convention

    def _hand_on(self, dst: int, data: bytes) -> None:
        assert self._outer_record is not None
        self._outer_record(dst, data, False)  # noqa: FBT003 - the caller's convention

    def _line(self, dst: int, data: bytes) -> str:
        try:
            src, _, arrival, message = decode_delivery(data)
        except msgspec.MsgspecError as e:
            return f"a message that is none: {e}"
        return delivery_line(self.reader.header, arrival, dst, src, message)
