"""What the composition root hands to the commands: things that `cluster` itself may not import."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from cluster.results.meter import Results
from cluster.runs.judged_run import Request, Watch


class MetricsServer(Protocol):
    """Serves the figures of the run that goes on."""

    url: str

    def begin(self, info: Mapping[str, str]) -> None:
        """Start a run from 0."""
        ...

    def update(
        self, totals: Mapping[str, int | Mapping[str, int]], simulated_ns: int, resident: int
    ) -> None:
        """Take the totals of the run so far."""
        ...

    def close(self) -> None:
        """Stop serving."""
        ...


class Composition(msgspec.Struct, frozen=True):
    """The parts of the program that only the root knows."""

    #: port -> a server on loopback; raises InputError if the port can not be had
    serve_metrics: Callable[[int], MetricsServer]
    #: the command line as typed, without the program's name
    argv: Sequence[str] = ()


def totals(deliveries: int, results: Results) -> dict[str, int | Mapping[str, int]]:
    """Give the totals of a run so far as plain numbers."""
    metrics = results.metrics()
    return {
        "deliveries": deliveries,
        "touches": metrics.touches,
        "page_faults": metrics.faults,
        "segv": metrics.segv,
        "ipis_sent": metrics.ipis["sent"],
        "ipis_acked": metrics.ipis["acked"],
        "shootdowns": metrics.shootdown_wait.count,
        "zeroed_pages": metrics.pages_zeroed,
        "reclaimed_pages": {
            "holes": metrics.reclaimed["holes"],
            "free": metrics.reclaimed["free"],
            "clean": metrics.reclaimed["clean"],
        },
        "swapped_pages": metrics.swap,
        "memory_stalls": metrics.low_memory,
        "pinned_pages": metrics.transfers["pages_pinned"],
        "device_bytes": {
            "stored": metrics.transfers["bytes_stored"],
            "loaded": metrics.transfers["bytes_loaded"],
        },
        "system_calls": {kind: s.count for kind, s in metrics.operations.items()},
        "system_call_errors": metrics.errors,
    }


def feed(server: MetricsServer, request: Request) -> Watch:
    """Give the watch that brings the server up to date at every pause of a run."""
    server.begin(
        {
            "scenario": request.name,
            "preset": request.setup.preset,
            "engine": request.options.engine,
        }
    )

    def watch(deliveries: int, simulated_ns: int, results: Results) -> None:
        server.update(totals(deliveries, results), simulated_ns, results.resident.pages)

    return watch
