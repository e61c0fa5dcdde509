"""Messages as bytes: MessagePack arrays `[tag, op, fields...]`, on the wire as in traces."""

from functools import reduce
from operator import or_
from typing import Any

import msgspec

import actors.messages  # noqa: F401 - defines the classes that are listed below
from actors.message import Message
from actors.message_text import message_classes

#: every message class, for typed decoders
UNION: Any = reduce(or_, message_classes())
ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UNION)


class CodecError(Exception):
    """Bytes that are no message of this protocol."""


def encode(message: Message) -> bytes:
    """Return the bytes of a message; equal messages have equal bytes."""
    return ENCODER.encode(message)


def decode(data: bytes) -> Message:
    """Read a message, strictly.

    Raises:
        CodecError: unknown tag, wrong number or type of fields.
    """
    try:
        message: Message = _DECODER.decode(data)
    except msgspec.MsgspecError as e:
        raise CodecError(str(e)) from e
    return message
