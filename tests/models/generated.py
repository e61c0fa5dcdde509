"""Random small programs, the same for the same seed, for comparing reductions."""

from collections.abc import Hashable
from random import Random
from typing import Any

from cluster.explore.strategy_api import WHOLE, Footprint
from tests.models.mailbox import Handler, Program, Sends


def talkers(seed: int) -> Program:
    """Make actors whose every message depends on every other to the same actor."""
    random = Random(seed)
    actors, left = random.randint(2, 3), random.randint(2, 4)

    def handler(me: int) -> Handler:
        def handle(state: int, message: tuple[int, int]) -> tuple[int, Sends, Footprint]:
            kind, left = message
            drawn = Random(f"{seed} {me} {state} {kind}")
            after = drawn.randrange(3)
            many = drawn.choice((0, 1, 1, 2)) if left else 0
            sends: Sends = [
                (drawn.randrange(actors), (drawn.randrange(2), left - 1)) for _ in range(many)
            ]
            return after, sends, WHOLE

        return handle

    start: Sends = [
        (random.randrange(actors), (random.randrange(2), left)) for _ in range(random.randint(2, 3))
    ]
    return Program(list(map(handler, range(actors))), [0] * actors, start)


def variables(seed: int) -> Program:
    """Make actors of two variables: read, written, added to. What was read decides what follows."""
    random = Random(seed)
    actors = random.randint(1, 2)

    def handle(state: tuple[int, int], message: Any) -> tuple[Hashable, Sends, Footprint]:
        kind, which, value, then = message
        after, seen = list(state), 0
        if kind == "read":
            seen, footprint = state[which], Footprint(reads=1 << which)
        elif kind == "write":
            after[which], footprint = value, Footprint(writes=1 << which)
        else:
            after[which], footprint = state[which] + value, Footprint(adds=1 << which)
        sends: Sends = [(to, ("read", *m[1:]) if seen else m) for to, m in then]
        return tuple(after), sends, footprint

    def message(depth: int) -> tuple[Hashable, ...]:
        many = random.choice((0, 1, 1)) if depth else 0
        then = tuple((random.randrange(actors), message(depth - 1)) for _ in range(many))
        kind = random.choice(("read", "write", "add"))
        return kind, random.randrange(2), random.randint(1, 2), then

    start: Sends = [(random.randrange(actors), message(2)) for _ in range(random.randint(2, 4))]
    return Program([handle] * actors, [(0, 0)] * actors, start)
