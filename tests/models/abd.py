"""A register on many servers, by Attiya, Bar-Noy and Dolev: every call asks, then tells a majority.

A read tells others what it has read, so that no later read returns anything older.
"""

from typing import NamedTuple

from tests.models.history import NOTHING
from tests.models.network import Message, Sends
from tests.models.register import most, others

#: a count, and the server that made it: no two writes have the same
Stamp = tuple[int, int]


class Asking(NamedTuple):
    """A call whose server asks what others hold."""

    request: int
    client: int
    written: str | None
    #: who answered what
    answers: frozenset[tuple[int, Stamp, str]]


class Telling(NamedTuple):
    """A call whose server tells others what to hold."""

    request: int
    client: int
    #: None for a write
    read: str | None
    heard: frozenset[int]


class Replica(NamedTuple):
    """What a server holds, and the one call that it serves."""

    stamp: Stamp
    value: str = NOTHING
    call: Asking | Telling | None = None

    def told(self, stamp: Stamp, value: str) -> "Replica":
        return self._replace(stamp=stamp, value=value) if stamp > self.stamp else self


class Abd(NamedTuple):
    """One of so many servers."""

    servers: int

    def start(self, me: int) -> tuple[Replica, Sends]:
        return Replica((0, me)), []

    def receive(self, me: int, state: Replica, src: int, message: Message) -> tuple[Replica, Sends]:
        kind, request, *rest = message
        if kind in ("put", "get"):
            return self._called(me, state, src, message)
        if kind == "ask":
            return state, [(src, ("holds", request, state.stamp, state.value))]
        if kind == "tell":
            return state.told(rest[0], rest[1]), [(src, ("told", request))]
        if state.call is None or state.call.request != request:
            return state, []
        if kind == "holds" and isinstance(state.call, Asking):
            return self._answered(me, state, state.call, (src, rest[0], rest[1]))
        if kind == "told" and isinstance(state.call, Telling):
            return self._heard(state, state.call, src)
        return state, []

    def _called(self, me: int, state: Replica, src: int, message: Message) -> tuple[Replica, Sends]:
        if state.call is not None:
            return state, []
        request, written = message[1], message[2] if message[0] == "put" else None
        mine = frozenset({(me, state.stamp, state.value)})
        call = Asking(request, src, written, mine)
        return state._replace(call=call), others(self.servers, me, ("ask", request))

    def _answered(
        self, me: int, state: Replica, call: Asking, answer: tuple[int, Stamp, str]
    ) -> tuple[Replica, Sends]:
        answers = call.answers | {answer}
        if len(answers) < most(self.servers):
            return state._replace(call=call._replace(answers=answers)), []
        _, stamp, value = max(answers, key=lambda answer: answer[1])
        read: str | None = value
        if call.written is not None:
            stamp, value, read = (stamp[0] + 1, me), call.written, None
        telling = Telling(call.request, call.client, read, frozenset({me}))
        state = state.told(stamp, value)._replace(call=telling)
        return state, others(self.servers, me, ("tell", call.request, stamp, value))

    def _heard(self, state: Replica, call: Telling, src: int) -> tuple[Replica, Sends]:
        heard = call.heard | {src}
        if len(heard) < most(self.servers):
            return state._replace(call=call._replace(heard=heard)), []
        answer: Message = ("put_ok", call.request)
        if call.read is not None:
            answer = ("get_ok", call.request, call.read)
        return state._replace(call=None), [(call.client, answer)]
