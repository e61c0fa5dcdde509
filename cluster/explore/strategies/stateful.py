"""Search with a state cache: every state once, breadth first or depth first.

Breadth first finds shortest paths. Counts depend on which states are taken as equal: two `World`s
are if machines, messages in flight and the facts that verdicts may still depend on are.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from cluster.explore.state import State
from cluster.explore.strategy_api import Broken, StopAt, at_first, keep


class Order(StrEnum):
    """Which state is visited next."""

    BREADTH_FIRST = "bfs"
    DEPTH_FIRST = "dfs"


class States(msgspec.Struct, kw_only=True):
    """What a search has found so far; `complete`: every reachable state has been seen."""

    states: int = 1
    transitions: int = 0
    #: length of the longest path by which a state was first reached
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


class SavedStates(msgspec.Struct, frozen=True):
    """A search that was stopped, to go on later."""

    result: States
    seen: list[bytes]
    #: (place here of the state that it was reached from, or -1; choice); that one comes first
    nodes: list[tuple[int, tuple[Any, ...]]]
    #: places of the states that are still to be expanded, in order
    frontier: list[int]


#: called now and then with what has been found so far; true: go on
Watch = Callable[[States], bool]
_WATCHED_EVERY = 256


class StateSearch:
    """Visits every state that can be reached from a start, up to a number of states."""

    def __init__(
        self,
        start: State,
        *,
        order: Order = Order.BREADTH_FIRST,
        budget: int | None = None,
        stop_at: StopAt = at_first,
        watch: Watch = lambda _: True,
        ended: Callable[[State], None] = lambda _: None,
    ) -> None:
        """Set up a search; `budget` None: no limit.

        A state with a broken promise is not expanded; `stop_at` says whether the search is over
        then. `ended` is called with every state in which nothing is enabled.
        """
        self.result = States()
        self._start = start
        self._order = order
        self._budget = budget
        self._stop_at = stop_at
        self._watch = watch
        self._ended = ended
        self._seen: set[Hashable] = {start.fingerprint()}
        #: of a state that was saved there is only its path
        self._frontier: deque[tuple[State | None, _Node]] = deque([(start, _Node(None, None))])

    def run(self) -> States:
        """Go on until all states are seen, a promise is broken, or `budget` or `watch` ends it."""
        result, frontier = self.result, self._frontier
        first = self._order is Order.BREADTH_FIRST
        watched = result.states + _WATCHED_EVERY
        while frontier:
            state, node = frontier.popleft() if first else frontier.pop()
            result.frontier = len(frontier)
            if state is None:
                state = self._follow(node.path())
            if not self._expand(state, node):
                return result
            if any(self._stop_at(broken.promise) for broken in result.found):
                return result
            if result.states >= watched:
                watched = result.states + _WATCHED_EVERY
                if not self._watch(result):
                    return result
        result.complete = True
        return result

    def _follow(self, path: tuple[Any, ...]) -> State:
        state = self._start
        for choice in path:
            state = state.deliver(choice)
        return state

    def _expand(self, state: State, node: _Node) -> bool:
        """Add the successors of a state; False: the budget is spent, and the state is put back."""
        result, before = self.result, self.result.transitions
        for after, step in self._next(state, node):
            fingerprint = after.fingerprint()
            if fingerprint in self._seen:
                continue
            if self._budget is not None and result.states >= self._budget:
                result.transitions = before
                again = self._frontier.appendleft
                if self._order is Order.DEPTH_FIRST:
                    again = self._frontier.append
                again((state, node))
                return False
            self._seen.add(fingerprint)
            result.states += 1
            result.depth = max(result.depth, step.depth)
            self._frontier.append((after, step))
        return True

    def _next(self, state: State, node: _Node) -> Iterator[tuple[State, _Node]]:
        """Yield the successors of a state that break nothing; keep what is broken."""
        result = self.result
        enabled = state.enabled()
        if not enabled:
            result.quiescent += 1
            self._ended(state)
            if promise := state.ended():
                keep(result.found, Broken(promise, node.path()))
        for choice in enabled:
            result.transitions += 1
            after, step = state.deliver(choice), _Node(node, choice)
            if promise := after.broken():
                keep(result.found, Broken(promise, step.path()))
                if self._stop_at(promise):
                    return
            else:
                yield after, step

    # Saving.

    def save(self) -> SavedStates:
        """Return what is needed to go on later; fingerprints must be bytes, choices tuples."""
        places: dict[_Node, int] = {}
        nodes: list[tuple[int, tuple[Any, ...]]] = []

        def place(node: _Node) -> int:
            chain = []
            at: _Node | None = node
            while at is not None and at not in places:
                chain.append(at)
                at = at.parent
            for one in reversed(chain):
                above = -1 if one.parent is None else places[one.parent]
                places[one] = len(nodes)
                nodes.append((above, one.choice or ()))
            return places[node]

        frontier = [place(node) for _, node in self._frontier]
        seen = [bytes(fingerprint) for fingerprint in self._seen]  # type: ignore[call-overload]
        return SavedStates(self.result, sorted(seen), nodes, frontier)

    def resume(self, saved: SavedStates) -> None:
        """Go on with a saved search; the start must be the same."""
        self.result = saved.result
        self._seen = set(saved.seen)
        nodes: list[_Node] = []
        for above, choice in saved.nodes:
            nodes.append(_Node(None, None) if above < 0 else _Node(nodes[above], choice))
        self._frontier = deque((None, nodes[place]) for place in saved.frontier)


def search(
    start: State,
    *,
    order: Order = Order.BREADTH_FIRST,
    budget: int | None = None,
    stop_at: StopAt = at_first,
    ended: Callable[[State], None] = lambda _: None,
) -> States:
    """Run a search in one go; see `StateSearch`."""
    return StateSearch(start, order=order, budget=budget, stop_at=stop_at, ended=ended).run()
