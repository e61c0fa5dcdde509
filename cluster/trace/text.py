"""Deliveries as lines of text."""

from typing import Any

import msgspec

from actors.message import Message
from actors.message_text import MessageText
from cluster.hosts.codec import UNION
from cluster.trace.format import Header

#: (src, seq, arrival, message), as `RunDigest.add` writes it
DigestedDelivery = tuple[int, int, int, Message]
_DECODER = msgspec.msgpack.Decoder(tuple[int, int, int, UNION])


def decode_delivery(data: bytes) -> DigestedDelivery:
    """Decode a delivery from the bytes that were digested.

    Raises:
        msgspec.MsgspecError: they are not a delivery.
    """
    found: Any = _DECODER.decode(data)
    return found  # type: ignore[no-any-return]


def delivery_line(
    header: Header, when: int, dst: int, src: int, message: Message, *, timer: bool = False
) -> str:
    """Render one delivery: time in ns (live runs have none), actors, operation, message."""
    clock = "" if header.live else f"{when:>14,} "
    sender = "timer" if timer else _actor(header, src)
    lane = header.lane_name(message.op)
    text = MessageText(lambda a: _actor(header, a), header.lane_name).message(message)
    return f"{clock}{sender:>12}>{_actor(header, dst):<12} {lane:12} {text}"


def _actor(header: Header, actor: int) -> str:
    return header.actors[actor] if 0 <= actor < len(header.actors) else f"actor {actor}"
