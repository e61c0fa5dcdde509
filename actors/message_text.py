"""Messages for readers and codecs: all classes by tag, and a line of text for each message."""

from actors.message import Message


def message_classes() -> tuple[type[Message], ...]:
    """Give every message class, in the order of their tags."""
    found = Message.__subclasses__()
    return tuple(sorted(found, key=lambda c: c.__struct_config__.tag))  # type: ignore[arg-type,return-value]


def fields_text(message: Message) -> str:
    """Render a message for a reader: its class and its fields but `op`."""

    def value(v: object) -> str:
        if isinstance(v, tuple):
            return "(" + " ".join(value(x) for x in v) + ")"
        return str(v)

    shown = [f"{f}={value(getattr(message, f))}" for f in message.__struct_fields__[1:]]
    return " ".join([type(message).__name__, *shown])
