"""Messages as in a shootdown: initiators interrupt all cores, and count their acknowledgements."""

from typing import Any

from cluster.explore.strategy_api import WHOLE, Footprint
from tests.models.mailbox import Handler, Program, Sends


def shootdowns(initiators: int, cores: int, *, selective: bool = False) -> Program:
    """Each initiator interrupts every core in one step.

    selective: an initiator notes who has acknowledged, so that acknowledgements commute.
    """

    def initiator(me: int) -> Handler:
        def handle(state: frozenset[int], message: Any) -> tuple[Any, Sends, Footprint]:
            if message is None:
                return state, [(initiators + core, me) for core in range(cores)], WHOLE
            footprint = Footprint(writes=1 << message) if selective else WHOLE
            return state | {message}, [], footprint

        return handle

    def core(which: int) -> Handler:
        def acknowledge(state: int, initiator: Any) -> tuple[int, Sends, Footprint]:
            return state, [(initiator, which)], WHOLE

        return acknowledge

    handlers: list[Handler] = [*map(initiator, range(initiators)), *map(core, range(cores))]
    states = [*[frozenset[int]()] * initiators, *[0] * cores]
    return Program(handlers, states, [(me, None) for me in range(initiators)])


def to_all(senders: int, receivers: int) -> Program:
    """Each of the senders sends one message to each receiver."""

    def send(state: int, _message: Any) -> tuple[int, Sends, Footprint]:
        return state, [(senders + r, "hello") for r in range(receivers)], WHOLE

    def receive(state: int, _message: Any) -> tuple[int, Sends, Footprint]:
        return state, [], WHOLE

    handlers: list[Handler] = [*[send] * senders, *[receive] * receivers]
    return Program(handlers, [0] * (senders + receivers), [(me, None) for me in range(senders)])


def one_by_one(initiators: int, cores: int) -> Program:
    """Each initiator interrupts one core after another; acknowledgements have their own inbox.

    Actors: senders, counters, cores.
    """

    def sender(me: int) -> Handler:
        def send(state: int, core: Any) -> tuple[int, Sends, Footprint]:
            sends: Sends = [(2 * initiators + core, me)]
            if core + 1 < cores:
                sends.append((me, core + 1))
            return state, sends, WHOLE

        return send

    def count(state: int, _message: Any) -> tuple[int, Sends, Footprint]:
        return state + 1, [], WHOLE

    def acknowledge(state: int, initiator: Any) -> tuple[int, Sends, Footprint]:
        return state, [(initiators + initiator, "done")], WHOLE

    handlers: list[Handler] = [
        *map(sender, range(initiators)), *[count] * initiators, *[acknowledge] * cores
    ]  # fmt: skip
    return Program(handlers, [0] * len(handlers), [(me, 0) for me in range(initiators)])
