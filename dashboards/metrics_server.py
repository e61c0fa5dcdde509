"""Metrics of the runs of this process, served to Prometheus over HTTP while they go on."""

from prometheus_client import start_http_server

from dashboards.metrics import RunMetrics

LOOPBACK = "127.0.0.1"


class MetricsServer:
    """Serves the metrics of the run that goes on, on loopback unless told otherwise."""

    def __init__(self, port: int, address: str = LOOPBACK) -> None:
        """Start serving; port 0 takes a free one.

        Raises:
            OSError: the port cannot be had.
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
