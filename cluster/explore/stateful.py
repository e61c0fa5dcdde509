"""Search with a state cache: every state once, breadth first or depth first.

Breadth first gives shortest paths. A count of states says which states count as equal: of `World`,
those that agree in machines, messages in flight and the facts that verdicts may still depend on.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from cluster.explore.run import Broken, StopAt, at_first, keep
from cluster.explore.state import State


class Order(StrEnum):
    """Which state is visited next."""

    BREADTH_FIRST = "bfs"
    DEPTH_FIRST = "dfs"


class States(msgspec.Struct, kw_only=True):
    """What a search found so far; `complete` only if every reachable state was seen."""

    states: int = 1
    transitions: int = 0
    #: of the longest path by which a state was first reached
    depth: int = 0
    quiescent: int = 0
    frontier: int = 0
    complete: bool = False
    found: list[Broken] = []


class _Node:
    __slots__ = ("choice", "depth", "parent")

    def __init__(self, parent: "_Node | None", choice: Any) -> None:  # noqa: ANN401 - any choice
        self.parent = parent
        self.choice = choice
        self.depth: int = 0 if parent is None else parent.depth + 1

    def path(self) -> tuple[Any, ...]:
        steps = []
        node = self
        while node.parent is not None:
            steps.append(node.choice)
            node = node.parent
        return tuple(reversed(steps))


#: told (what was found so far) now and then; true: go on
Watch = Callable[[States], bool]
_WATCHED_EVERY = 256


def search(
    start: State,
    *,
    order: Order = Order.BREADTH_FIRST,
    budget: int | None = None,
    stop_at: StopAt = at_first,
    watch: Watch = lambda _: True,
    ended: Callable[[State], None] = lambda _: None,
) -> States:
    """Visit every state that can be reached, up to `budget` states (None: all).

    A state with a broken promise is not explored further; `stop_at` says whether the search is over
    then. `ended` hears of every state in which
    nothing is enabled.
    """
    result = States()
    seen: set[Hashable] = {start.fingerprint()}
    frontier = deque([(start, _Node(None, None))])
    take = frontier.popleft if order is Order.BREADTH_FIRST else frontier.pop
    while frontier:
        state, node = take()
        result.frontier = len(frontier)
        for after, step in _next(state, node, result, stop_at, ended):
            fingerprint = after.fingerprint()
            if fingerprint in seen:
                continue
            if budget is not None and result.states >= budget:
                return result
            seen.add(fingerprint)
            result.states += 1
            result.depth = max(result.depth, step.depth)
            frontier.append((after, step))
            if result.states % _WATCHED_EVERY == 0 and not watch(result):
                return result
        if any(stop_at(broken.promise) for broken in result.found):
            return result
    result.complete = True
    return result


def _next(
    state: State, node: _Node, result: States, stop_at: StopAt, ended: Callable[[State], None]
) -> Iterator[tuple[State, _Node]]:
    """Yield what follows a state; keep what it breaks."""
    enabled = state.enabled()
    if not enabled:
        result.quiescent += 1
        ended(state)
        if promise := state.ended():
            keep(result.found, Broken(promise, node.path()))
    for choice in enabled:
        result.transitions += 1
        after, step = state.deliver(choice), _Node(node, choice)
        if promise := after.broken():
            keep(result.found, Broken(promise, step.path()))
            if stop_at(promise):
                return
        else:
            yield after, step
