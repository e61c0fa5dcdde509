"""What a run costs: its measures, from the facts that machines state, at the host's times.

A `Results` is a listener of a host: it hears facts only, never deliveries, and keeps counters and
histograms, so its memory does not grow with the run. Times are simulated nanoseconds; a free run
has none, and its durations are null.
"""

from actors.facts import Fact
from cluster.results import measures
from cluster.results.cells import Intake, LevelCell, cell_of
from cluster.results.figures import Metrics


class Results:
    """Hears the facts of one run and sums them up."""

    def __init__(self, *, timed: bool = True) -> None:
        """Start with nothing heard; `timed` if the host has a simulated time."""
        self.timed = timed
        intake = Intake()
        self._cells = [cell_of(measure, intake, timed=timed) for measure in measures.ALL]
        self._takers = intake.takers

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """Take one fact in; a fact that feeds no measure costs a look-up."""
        takers = self._takers.get(fact.__class__)
        if takers is not None:
            for take in takers:
                take(when, actor, fact)

    def finish(self, when: int) -> None:
        """Close the time-weighted means at the end of the run."""
        for cell in self._cells:
            if isinstance(cell, LevelCell):
                cell.advance(when)

    def metrics(self) -> Metrics:
        """Sum up what was heard so far: the `metrics` of summary.json."""
        metrics: Metrics = {}
        for cell in self._cells:
            cell.report(metrics)
        return metrics
