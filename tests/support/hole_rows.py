"""Which rows of THE TABLE a piece of a run asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

import actors.vm.holes
from kernel.hole import Action, HoleEvent, HoleState, transition

Row = tuple[HoleState, HoleEvent]
Result = tuple[HoleState | None, tuple[Action, ...]]


#: rows that a test has changed
_mutants: dict[Row, Result] = {}


def _asked(state: HoleState, event: HoleEvent) -> Result:
    return _mutants.get((state, event)) or transition(state, event)


@contextmanager
def mutated(row: Row, result: Result) -> Iterator[None]:
    """Let scripts run with one row of THE TABLE changed."""
    _mutants[row] = result
    try:
        yield
    finally:
        del _mutants[row]


@contextmanager
def watched(hits: set[Row]) -> Iterator[None]:
    """Note every pair of state and event that THE TABLE is asked for."""

    def noting(state: HoleState, event: HoleEvent) -> Result:
        hits.add((state, event))
        return _asked(state, event)

    actors.vm.holes.transition = noting
    try:
        yield
    finally:
        actors.vm.holes.transition = transition
