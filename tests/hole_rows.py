"""Which rows of THE TABLE a piece of a run asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

import actors.vm_state
from kernel.hole import Action, HoleEvent, HoleState, transition

Row = tuple[HoleState, HoleEvent]
Result = tuple[HoleState | None, tuple[Action, ...]]


@contextmanager
def watched(hits: set[Row]) -> Iterator[None]:
    """Note every pair of state and event that THE TABLE is asked for."""

    def noting(state: HoleState, event: HoleEvent) -> Result:
        hits.add((state, event))
        return transition(state, event)

    actors.vm_state.transition = noting
    try:
        yield
    finally:
        actors.vm_state.transition = transition
