"""How to hunt. Imports no machine: `holezero hunt --help` shows the limit."""

import msgspec

#: with more runs, some would have the jitter of runs of the next seed
RUNS_MAX = 1_000_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to hunt."""

    runs: int
    #: every actor draws the order of its mailbox, by another seed in every run
    jitter: bool = False
    seed: int = 0
    #: go on after the first run that breaks a promise
    all: bool = False
    #: end a run after roughly so many deliveries
    limit: int | None = None

    def jitter_of(self, run: int) -> int | None:
        """Return the seed of a run's jitter, different for each seed and run; None: no jitter."""
        return self.seed * RUNS_MAX + run if self.jitter else None
