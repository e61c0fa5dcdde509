"""The digest of a run: one hash a receiver over what it received, in its order.

Independent of how deliveries to different receivers interleave, and of where actors are placed. The
run's digest combines the receivers' in the order of their ids. Free runs leave arrival times out.
"""

from collections.abc import Iterable
from hashlib import blake2b

from actors.message import Message
from cluster.hosts.codec import ENCODER

_SIZE = 16
_FLUSH_AT = 4096


class RunDigest:
    """Collects (src, seq, arrival, message) for each receiver and hashes in large pieces."""

    def __init__(self, actors: int) -> None:
        """Start with nothing received by any of `actors` receivers."""
        self._hashes = [blake2b(digest_size=_SIZE) for _ in range(actors)]
        self._pending: list[list[bytes]] = [[] for _ in range(actors)]

    def add(self, dst: int, src: int, seq: int, arrival: int, message: Message) -> bytes:
        """Take one delivery in; gives the bytes that were hashed (what a full trace stores)."""
        data = ENCODER.encode((src, seq, arrival, message))
        pending = self._pending[dst]
        pending.append(data)
        if len(pending) >= _FLUSH_AT:
            self._flush(dst)
        return data

    def _flush(self, dst: int) -> None:
        self._hashes[dst].update(b"".join(self._pending[dst]))
        self._pending[dst].clear()

    def receiver(self, dst: int) -> bytes:
        """Give the digest of one receiver so far."""
        self._flush(dst)
        return self._hashes[dst].digest()

    def combined(self) -> bytes:
        """Give the digest of the run so far."""
        return combine(self.receiver(dst) for dst in range(len(self._hashes)))


def combine(receivers: Iterable[bytes]) -> bytes:
    """Give the digest of a run from those of its receivers, in the order of their ids."""
    whole = blake2b(digest_size=_SIZE)
    for digest in receivers:
        whole.update(digest)
    return whole.digest()
