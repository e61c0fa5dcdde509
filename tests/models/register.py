"""Clients that write to a register and read it back, and a server that holds it alone.

Servers come first, then clients. Messages: ("put", request, value), ("put_ok", request),
("get", request), ("get_ok", request, value); servers have more among themselves.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.models.history import NOTHING, History, answered, called, linearizable
from tests.models.network import Actor, Envelope, Message, Network, Sends, System


class Waiting(NamedTuple):
    """A client's state: the request that it waits for (None: done); how many it has made."""

    request: int | None
    made: int


class Client(NamedTuple):
    """Writes a value of its own to one server, then reads from the next."""

    servers: int

    def start(self, me: int) -> tuple[Waiting, Sends]:
        value = chr(ord("A") + me - self.servers)
        return Waiting(me, 1), [(me % self.servers, ("put", me, value))]

    def receive(
        self, me: int, state: Waiting, _src: int, message: Message
    ) -> tuple[Waiting, Sends]:
        if message[1] != state.request:
            return state, []
        if message[0] == "get_ok":
            return Waiting(None, state.made + 1), []
        request = (state.made + 1) * me
        return Waiting(request, state.made + 1), [
            ((me + state.made) % self.servers, ("get", request))
        ]


class SingleCopy(NamedTuple):
    """A server that knows no other."""

    def start(self, _me: int) -> tuple[str, Sends]:
        return NOTHING, []

    def receive(self, _me: int, state: str, src: int, message: Message) -> tuple[str, Sends]:
        if message[0] == "put":
            _, request, value = message
            return value, [(src, ("put_ok", request))]
        return state, [(src, ("get_ok", message[1], state))]


def stays_linearizable(network: Network) -> str:
    return "" if linearizable(network.history) else "linearizable"


def register(
    servers: Sequence[Actor],
    clients: int,
    *,
    promise: Callable[[Network], str] = stays_linearizable,
    ordered: bool = False,
) -> Network:
    """Make the first state of a system of these servers, with so many clients."""
    first = len(servers)

    def sent(history: History, envelope: Envelope) -> History:
        if envelope.src < first:
            return history
        written = envelope.message[2] if envelope.message[0] == "put" else None
        return called(history, envelope.src - first, written)

    def received(history: History, envelope: Envelope) -> History:
        client, message = envelope.dst - first, envelope.message
        if client < 0 or message[1] != len(history[client]) * envelope.dst:
            return history  # a message between servers, or an earlier call answered twice
        return answered(history, client, message[2] if message[0] == "get_ok" else NOTHING)

    actors = (*servers, *[Client(first)] * clients)
    return System(actors, sent, received, promise, ordered).start(((),) * clients)


def others(servers: int, me: int, message: Message) -> Sends:
    """Send to all other servers."""
    return [(dst, message) for dst in range(servers) if dst != me]


def most(servers: int) -> int:
    """Return the size of the smallest majority."""
    return servers // 2 + 1
