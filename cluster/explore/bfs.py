"""Breadth-first search over delivery orders with a state cache: exact counts, shortest traces."""

from collections import deque
from collections.abc import Callable

import msgspec

from cluster.explore.world import Channel, World
from cluster.properties.violation import Violation
from cluster.setup import Setup


class Found(msgspec.Struct, frozen=True):
    """A violation, and the deliveries that lead to it from the initial state."""

    violation: Violation
    path: tuple[Channel, ...]


class Search(msgspec.Struct, kw_only=True):
    """What a search found; `complete` only if every reachable state was seen."""

    states: int
    transitions: int
    depth: int
    complete: bool
    quiescent: int
    found: list[Found]
    #: properties broken that the policy does not promise
    unpromised: dict[str, int]


class _Node:
    __slots__ = ("channel", "parent")

    def __init__(self, parent: "_Node | None", channel: Channel | None) -> None:
        self.parent = parent
        self.channel = channel

    def path(self) -> tuple[Channel, ...]:
        steps = []
        node: _Node | None = self
        while node is not None and node.channel is not None:
            steps.append(node.channel)
            node = node.parent
        return tuple(reversed(steps))


def explore(
    setup: Setup,
    *,
    start: World | None = None,
    budget: int = 1_000_000,
    stop_at_first: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Search:
    """Visit every state that some order of deliveries reaches, up to `budget` states.

    A state with a broken promise is not explored further. The count of states is exact: it is that
    of machines, messages in flight, and the facts that verdicts may still depend on.
    start: the state to begin with, instead of the initial one.
    progress: called now and then with (states, frontier).
    """
    first = World(setup) if start is None else start
    seen = {first.fingerprint()}
    frontier = deque([(first, _Node(None, None), 0)])
    search = Search(
        states=1, transitions=0, depth=0, complete=True, quiescent=0, found=[], unpromised={}
    )
    while frontier:
        world, node, depth = frontier.popleft()
        search.depth = max(search.depth, depth)
        enabled = world.enabled()
        if not enabled:
            search.quiescent += 1
            _finish(world, node, search)
            if search.found and stop_at_first:
                return _cut_short(search)
        for channel in enabled:
            search.transitions += 1
            after = world.deliver(channel)
            step = _Node(node, channel)
            if _broken(after, step, search):
                if stop_at_first:
                    return _cut_short(search)
                continue
            fingerprint = after.fingerprint()
            if fingerprint in seen:
                continue
            if search.states >= budget:
                return _cut_short(search)
            seen.add(fingerprint)
            search.states += 1
            if progress is not None and search.states % 1000 == 0:
                progress(search.states, len(frontier))
            frontier.append((after, step, depth + 1))
    return search


def _cut_short(search: Search) -> Search:
    search.complete = False
    return search


def _broken(world: World, node: _Node, search: Search) -> bool:
    violations = world.checker.violations
    if world.error:
        violations = [_crash(world)]
    if not violations:
        _count(world, search)
        return False
    search.found.append(Found(violations[0], node.path()))
    return True


def _finish(world: World, node: _Node, search: Search) -> None:
    world.checker.finish(world.machines, complete=True)
    if world.checker.violations:
        search.found.append(Found(world.checker.violations[0], node.path()))
    _count(world, search)


def _count(world: World, search: Search) -> None:
    for name, times in world.checker.broken_unpromised.items():
        search.unpromised[name] = max(times, search.unpromised.get(name, 0))


def _crash(world: World) -> Violation:
    return Violation(
        property="protocol",
        promised=True,
        text=world.error,
        asid=0,
        vpn=-1,
        ops=(),
        operations=(),
        delivery=0,
        actor=-1,
        when=0,
    )
