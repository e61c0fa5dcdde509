"""What one receiver took, as records of a live trace: every message, or runs of channels."""

from cluster.hosts.channel import TIMER
from cluster.trace.format import (
    CHECKPOINT_EVERY,
    Delivery,
    Order,
    ReceiverCheckpoint,
    Record,
    TimerDelivery,
    pack,
)


class ReceiverLog:
    """Collects deliveries to `dst` until they are taken as bytes."""

    def __init__(self, dst: int, *, full: bool, checkpoint_every: int = CHECKPOINT_EVERY) -> None:
        """Start empty; `full` keeps messages, otherwise only the order of channels is kept."""
        self.dst = dst
        self.full = full
        self.deliveries = 0
        self._every = checkpoint_every
        self._records: list[Record] = []
        self._runs: list[int] = []
        #: roughly how many bytes `take` will return
        self.size = 0

    def add(self, src: int, lane: int, data: bytes) -> bool:
        """Add a delivery (src TIMER: a timer's); return whether a checkpoint is due."""
        self.deliveries += 1
        if self.full:
            kind = TimerDelivery if src == TIMER else Delivery
            self._records.append(kind(self.dst, data))
            self.size += len(data) + 8
        else:
            runs = self._runs
            if runs and runs[-3] == src and runs[-2] == lane:
                runs[-1] += 1
            else:
                runs += (src, lane, 1)
                self.size += 8
        return self.deliveries % self._every == 0

    def checkpoint(self, digest: bytes) -> None:
        """Add the receiver's digest after the deliveries so far."""
        self._close_runs()
        self._records.append(ReceiverCheckpoint(self.dst, self.deliveries, digest))
        self.size += 32

    def take(self) -> bytes:
        """Return what was added since the last time, as packed records."""
        self._close_runs()
        packed = pack(self._records)
        self._records.clear()
        self.size = 0
        return packed

    def _close_runs(self) -> None:
        if self._runs:
            self._records.append(Order(self.dst, tuple(self._runs)))
            self._runs.clear()
