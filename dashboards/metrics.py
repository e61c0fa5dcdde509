"""Prometheus metrics of a run, from one registry in the process that drives it.

Takes plain numbers, so it knows nothing of hosts: whoever drives a run hands over its totals now
and then, and counters grow by what is new. Names follow the Prometheus conventions; simulated time
is called so, to tell it from the time of the clock. Served on loopback unless told otherwise.
"""

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    start_http_server,
)

LOOPBACK = "127.0.0.1"

#: a number, or numbers by the value of the metric's label
Total = int | Mapping[str, int]

#: key of the totals -> (counter, label or "", help)
_COUNTERS = {
    "deliveries": ("holezero_deliveries", "", "Messages delivered to machines."),
    "touches": ("holezero_touches", "kind", "Granules that guest threads loaded or stored."),
    "page_faults": ("holezero_page_faults", "cause", "Page faults resolved, by cause."),
    "segv": ("holezero_segmentation_faults", "code", "SIGSEGVs sent to guest threads."),
    "ipis_sent": ("holezero_ipis_sent", "", "Shootdown interrupts sent."),
    "ipis_acked": ("holezero_ipis_acked", "", "Shootdown interrupts of completed shootdowns."),
    "shootdowns": ("holezero_shootdowns", "", "Shootdowns completed that had targets."),
    "zeroed_pages": ("holezero_zeroed_pages", "how", "Pages of holes zeroed, or found zero."),
    "reclaimed_pages": ("holezero_reclaimed_pages", "from", "Pages that page daemons took."),
    "swapped_pages": ("holezero_swapped_pages", "way", "Pages written to swap, or read from it."),
    "memory_stalls": ("holezero_memory_stalls", "", "Allocations that found no frame and slept."),
    "pinned_pages": ("holezero_pinned_pages", "", "Pages pinned for devices."),
    "device_bytes": ("holezero_device_bytes", "how", "Bytes that devices stored or loaded."),
    "system_calls": ("holezero_system_calls", "kind", "System calls that returned."),
    "system_call_errors": ("holezero_system_call_errors", "errno", "System calls that failed."),
}


class RunMetrics:
    """The metrics of the run that goes on; a next run starts them from 0."""

    def __init__(self) -> None:
        """Make an empty registry."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._collectors: list[Counter | Gauge] = []
        self._counters: dict[str, tuple[Counter, str]] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def begin(self, info: Mapping[str, str]) -> None:
        """Start a run from 0; `info` becomes the labels of `holezero_run_info`."""
        for collector in self._collectors:
            self.registry.unregister(collector)
        self._seen.clear()
        self._counters = {
            key: (Counter(name, text, [label] if label else [], registry=self.registry), label)
            for key, (name, label, text) in _COUNTERS.items()
        }
        registry = self.registry
        self._simulated = Gauge(
            "holezero_simulated_seconds", "Simulated time of the last delivery.", registry=registry
        )
        self._resident = Gauge(
            "holezero_resident_pages", "Resident pages of all processes.", registry=registry
        )
        about = Gauge("holezero_run_info", "The run that goes on.", list(info), registry=registry)
        about.labels(**info).set(1)
        self._collectors = [counter for counter, _ in self._counters.values()]
        self._collectors += [self._simulated, self._resident, about]

    def update(self, totals: Mapping[str, Total], simulated_ns: int, resident: int) -> None:
        """Bring the metrics up to the run's totals so far; keys are those of `_COUNTERS`."""
        for key, total in totals.items():
            counter, label = self._counters[key]
            if isinstance(total, int):
                self._grow(key, "", total, counter)
                continue
            for value, count in total.items():
                self._grow(key, value, count, counter.labels(**{label: value}))
        self._simulated.set(simulated_ns / 1e9)
        self._resident.set(resident)

    def _grow(self, key: str, value: str, total: int, counter: Counter) -> None:
        more = total - self._seen.get((key, value), 0)
        if more > 0:
            counter.inc(more)
            self._seen[key, value] = total


class MetricsServer:
    """Serves the metrics of the runs of this process over HTTP."""

    def __init__(self, port: int, address: str = LOOPBACK) -> None:
        """Start serving; port 0 takes a free one.

        Raises:
            OSError: the port can not be had.
        """
        self.metrics = RunMetrics()
        self._server, self._thread = start_http_server(
            port, addr=address, registry=self.metrics.registry
        )
        self.url = f"http://{address}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
