"""What a search is told: strategy, budget and other choices."""

from enum import StrEnum

import msgspec

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


class Dependency(StrEnum):
    """Which deliveries depend on one another."""

    #: all to the same machine
    RECEIVER = "receiver"
    #: those to the same machine whose footprints conflict
    FOOTPRINT = "footprint"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What a search is told."""

    strategy: Strategy = Strategy.DPOR
    #: states or orders; None: no limit
    budget: int | None = None
    reduction: Reduction = Reduction.OPTIMAL
    #: for dpor
    dependency: Dependency = Dependency.RECEIVER
    #: for pct: how many messages have to come in a certain order
    depth: int = 3
    #: for bfs and dfs: states that differ only in which of identical cores did what are one
    symmetry: bool = False
    #: for delay: most deliveries that are put off
    delays: int = 2
    seed: int = 0
    #: the broken promise that ends the search; empty: any
    wanted: str = ""
    #: no broken promise ends it
    all: bool = False

    @property
    def proves(self) -> bool:
        """Say whether a complete search is a proof for all orders."""
        if self.strategy is Strategy.DELAY:
            return False
        by_footprint = self.dependency is Dependency.FOOTPRINT
        return not (self.strategy is Strategy.DPOR and by_footprint)


def stop_at(chosen: Chosen) -> StopAt:
    """Return which broken promises end the search."""
    if chosen.all:
        return never
    return (lambda promise: promise == chosen.wanted) if chosen.wanted else at_first
