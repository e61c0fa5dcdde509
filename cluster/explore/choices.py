"""What a search is told: strategy, budget, and what else there is to choose."""

from enum import StrEnum

import msgspec

from cluster.explore.footprint import Dependency
from cluster.explore.strategies.dpor import Reduction
from cluster.explore.strategy_api import StopAt, at_first, never


class Strategy(StrEnum):
    """How orders are chosen."""

    BFS = "bfs"
    DFS = "dfs"
    DPOR = "dpor"
    RANDOM = "random"
    PCT = "pct"
    DELAY = "delay"

    @property
    def counts(self) -> str:
        """Name what a budget counts."""
        return "states" if self in (Strategy.BFS, Strategy.DFS) else "orders"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What a search is told."""

    strategy: Strategy = Strategy.DPOR
    #: states or orders; None: no limit
    budget: int | None = None
    reduction: Reduction = Reduction.OPTIMAL
    #: of dpor
    dependency: Dependency = Dependency.RECEIVER
    #: of pct: messages that have to come in a certain order
    depth: int = 3
    #: of bfs and dfs: states that differ in which of identical cores did what are one
    symmetry: bool = False
    #: of delay
    delays: int = 2
    seed: int = 0
    #: the broken promise that ends the search; empty: any
    wanted: str = ""
    #: none ends it
    all: bool = False

    @property
    def proves(self) -> bool:
        """Say whether a complete search is a proof, of all orders."""
        if self.strategy is Strategy.DELAY:
            return False
        by_footprint = self.dependency is Dependency.FOOTPRINT
        return not (self.strategy is Strategy.DPOR and by_footprint)


def stop_at(chosen: Chosen) -> StopAt:
    """Give what ends the search."""
    if chosen.all:
        return never
    return (lambda promise: promise == chosen.wanted) if chosen.wanted else at_first
