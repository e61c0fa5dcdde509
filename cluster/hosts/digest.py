"""The digest of a run: one hash a receiver over what it received, in its order.

Independent of how deliveries to different receivers interleave, and of where actors are placed. The
run's digest combines the receivers' in the order of their ids. Free runs leave arrival times out.
"""

from collections.abc import Iterable
from hashlib import blake2b

from actors.message import Message
from cluster.hosts.codec import ENCODER

_SIZE = 16
#: deliveries to one receiver that are hashed at once
_FLUSH_AT = 64

_encode = ENCODER.encode


class RunDigest:
    """Collects (src, seq, arrival, message) for each receiver and hashes in pieces."""

    def __init__(self, actors: int) -> None:
        """Start with nothing received by any of `actors` receivers."""
        self._hashes = [blake2b(digest_size=_SIZE) for _ in range(actors)]
        self._pending: list[list[bytes]] = [[] for _ in range(actors)]
        #: of what was hashed when somebody asked last; None: more has been since
        self._known: list[bytes | None] = [None] * actors

    def add(self, dst: int, src: int, seq: int, arrival: int, message: Message) -> bytes:
        """Take one delivery in; return the bytes that are hashed (what a full trace stores)."""
        data = _encode((src, seq, arrival, message))
        pending = self._pending[dst]
        pending.append(data)
        if len(pending) >= _FLUSH_AT:
            self._flush(dst)
        return data

    def _flush(self, dst: int) -> None:
        pending = self._pending[dst]
        self._hashes[dst].update(b"".join(pending))
        pending.clear()
        self._known[dst] = None

    def receiver(self, dst: int) -> bytes:
        """Return the digest of one receiver so far."""
        if self._pending[dst]:
            self._flush(dst)
        known = self._known[dst]
        if known is None:
            known = self._known[dst] = self._hashes[dst].digest()
        return known

    def combined(self) -> bytes:
        """Return the digest of the run so far."""
        return combine([self.receiver(dst) for dst in range(len(self._hashes))])


def combine(receivers: Iterable[bytes]) -> bytes:
    """Return the digest of a run from those of its receivers, in the order of their ids."""
    return blake2b(b"".join(receivers), digest_size=_SIZE).digest()
