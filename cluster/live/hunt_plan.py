"""How to hunt. Imports no machine: `holezero hunt --help` tells the limit."""

import msgspec

#: more runs would share their jitter with those of the next seed
RUNS_MAX = 1_000_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to hunt."""

    runs: int
    #: every actor draws the order of its mailbox, in every run by another seed
    jitter: bool = False
    seed: int = 0
    #: go on after the first run that breaks a promise
    all: bool = False
    #: end a run after about so many deliveries
    limit: int | None = None

    def jitter_of(self, run: int) -> int | None:
        """Return the seed of a run's jitter, another for each seed and run; None: no jitter."""
        return self.seed * RUNS_MAX + run if self.jitter else None
