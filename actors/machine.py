"""The shape of a machine: a pure function of the messages that it receives.

    on(src, message) -> effects        Send | Spend | Timer | Note

No clock, randomness, I/O, threads or Ray in here or in any machine: hosts own time, order and
transport. A machine's fields, and those of the components that it is made of, are dicts, lists and
deques of immutable values; handlers replace values and never mutate them, so `clone` copies
containers only and `freeze` is canonical.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Self

import msgspec

from actors.facts import Fact
from actors.message import Message


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send `message` to actor `dst`; it leaves `after_ns` after the effects before it."""

    dst: int
    message: Message
    after_ns: int = 0


class Spend(msgspec.Struct, frozen=True, gc=False):
    """The machine is busy for `ns`; later effects and later deliveries wait for that."""

    ns: int


class Timer(msgspec.Struct, frozen=True, gc=False):
    """Send `message` to oneself in `after_ns`; hosts order timers apart from messages."""

    after_ns: int
    message: Message


class Note(msgspec.Struct, frozen=True, gc=False):
    """Tell the observers of the run a fact; no machine hears it."""

    fact: Fact


Effect = Send | Spend | Timer | Note
Handler = Callable[[Any, int, Any], list[Effect]]


class ProtocolError(Exception):
    """A machine got a message that it must not get, here and now: a peer broke the protocol."""


class Machine(ABC):
    """Base of all machines: dispatch by the class of the message."""

    #: message class -> method; a test requires its keys to be what the machine RECEIVES
    HANDLERS: ClassVar[dict[type, Handler]] = {}
    RECEIVES: ClassVar[object] = None
    ROLE: ClassVar[str] = ""

    #: own actor id
    me: int

    def on(self, src: int, message: Message) -> list[Effect]:
        """Take one message and say what follows from it.

        Raises:
            ProtocolError: the machine must not get this message (now).
        """
        handler = self.HANDLERS.get(message.__class__)
        if handler is None:
            raise ProtocolError(f"{self.ROLE} {self.me} must not get {message!r} from {src}")
        return handler(self, src, message)

    def start(self) -> list[Effect]:
        """Return the effects with which the run begins."""
        return []

    @abstractmethod
    def clone(self) -> Self:
        """Copy the containers; the values in them are immutable and shared."""

    @abstractmethod
    def freeze(self) -> Hashable:
        """Return the canonical, hashable state; equal states behave equally."""

    def waiting(self) -> list[str]:
        """Name what the machine still waits for; a quiescent run has nothing here."""
        return []
