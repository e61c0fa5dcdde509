"""Prometheus metrics of the run that goes on, from one registry in the process that drives it.

They are made from the declarations of measures (`cluster.results.measures`): a new measure needs
nothing here. Only what a run is besides, its deliveries, simulated time and name, is written out.
Counters grow by what is new in the figures of an update. Names follow the Prometheus conventions;
simulated time is called so, to tell it from the time of the clock.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from cluster.results import measures
from cluster.results.figures import Metrics, read
from cluster.results.measure import Distribution, Level, Measure
from cluster.results.meter import Results
from cluster.runs.judged_run import Request, Watch

_PREFIX = "holezero_"


class RunMetrics:
    """The metrics of the run that goes on; a next run starts them from 0."""

    def __init__(self) -> None:
        """Make an empty registry."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        #: those of each measure that is exposed
        self._measured: list[tuple[Measure, Counter | Gauge]] = []
        self._others: list[Counter | Gauge] = []
        #: what each counter has counted, by the value of its label
        self._counted: dict[tuple[Counter, str], int] = {}

    def begin(self, info: Mapping[str, str]) -> None:
        """Start a run from 0; `info` becomes the labels of `holezero_run_info`."""
        for collector in (*self._others, *(metric for _, metric in self._measured)):
            self.registry.unregister(collector)
        self._counted.clear()
        self._deliveries = Counter(
            f"{_PREFIX}deliveries", "Messages delivered to machines.", registry=self.registry
        )
        self._measured = [(one, self._metric(one)) for one in measures.ALL if one.exposed]
        self._simulated = Gauge(
            f"{_PREFIX}simulated_seconds",
            "Simulated time of the last delivery.",
            registry=self.registry,
        )
        about = Gauge(
            f"{_PREFIX}run_info", "The run that goes on.", list(info), registry=self.registry
        )
        about.labels(**info).set(1)
        self._others = [self._deliveries, self._simulated, about]

    def _metric(self, measure: Measure) -> Counter | Gauge:
        kind = Gauge if isinstance(measure, Level) else Counter
        labels = [measure.label] if measure.label else []
        return kind(_PREFIX + measure.exposed, measure.help, labels, registry=self.registry)

    def watch(self, request: Request) -> Watch:
        """Start a run from 0; return what brings its metrics up to date at every pause of it."""
        self.begin(
            {
                "scenario": request.name,
                "preset": request.setup.preset,
                "engine": request.options.engine,
            }
        )

        def watch(deliveries: int, simulated_ns: int, results: Results) -> None:
            self.update(deliveries, simulated_ns, results.metrics())

        return watch

    def update(self, deliveries: int, simulated_ns: int, metrics: Metrics) -> None:
        """Bring everything up to the figures of the run so far."""
        self._grow(self._deliveries, "", "", deliveries)
        self._simulated.set(simulated_ns / 1e9)
        for measure, metric in self._measured:
            for value, figure in _figures(measure, metrics):
                if isinstance(metric, Gauge):
                    metric.set(figure)
                else:
                    self._grow(metric, measure.label, value, figure)

    def _grow(self, counter: Counter, label: str, value: str, total: int) -> None:
        """Count what is new; a value of a label is there from its first update on, also at 0."""
        counted = counter.labels(**{label: value}) if label else counter
        more = total - self._counted.get((counter, value), 0)
        if more > 0:
            counted.inc(more)
            self._counted[counter, value] = total


def _figures(measure: Measure, metrics: Metrics) -> Iterator[tuple[str, int]]:
    """Return what is exposed of a measure, by the value of its label."""
    path = measure.name
    if isinstance(measure, Distribution):
        path += ".count"
    elif isinstance(measure, Level):
        path += ".pages"
    yield from read(metrics, path, measure.values).items()
