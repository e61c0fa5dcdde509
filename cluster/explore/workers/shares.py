"""A worker's share of a search, by strategy; and which searches cannot be shared."""

from functools import partial

from cluster.explore.choices import Chosen, Dependency, Strategy, stop_at
from cluster.explore.strategies.dpor import Reduction
from cluster.explore.symmetry import first_state
from cluster.explore.walk import Walks
from cluster.explore.workers.sharded_search import Opening
from cluster.explore.workers.shared_orders import OrderMaker
from cluster.explore.workers.trace_part import TracePart
from cluster.input_error import InputError
from cluster.scenario.setup import Setup


def share_of(setup: Setup, chosen: Chosen) -> object:
    """Make a worker's share of a search."""
    if chosen.strategy is Strategy.BFS:
        return Opening(partial(first_state, setup, symmetry=chosen.symmetry))
    if chosen.strategy is Strategy.DPOR:
        return TracePart(Walks(setup), stop_at(chosen))
    return OrderMaker(Walks(setup), chosen, stop_at(chosen))


def check_shareable(chosen: Chosen, *, kept: bool) -> None:
    """Refuse what only a single worker can do; `kept`: there is a checkpoint.

    Raises:
        InputError: says what to do instead.
    """
    why = ""
    if chosen.strategy is Strategy.DFS:
        why = "depth first goes one state at a time: use --strategy bfs, which counts the same"
    elif chosen.strategy is Strategy.DPOR and chosen.reduction is Reduction.NONE:
        why = "--reduction none is for comparison: leave it out"
    elif chosen.strategy is Strategy.DPOR and chosen.dependency is Dependency.FOOTPRINT:
        why = "footprints are numbered per process: leave --dependency footprint out"
    elif kept:
        why = "a search that is shared is not kept: leave --checkpoint out"
    if why:
        raise InputError(f"--workers: {why}; or leave --workers out")
