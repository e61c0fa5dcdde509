"""JSON as all commands print and keep it."""

import msgspec


def json_text(value: object) -> bytes:
    """Return a value as indented JSON, without a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
