"""Progress of a run, or of reading a file, on standard error, if somebody watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cluster.commands.output.runs.measured import duration
from cluster.importers.recording.lines import Progress as ShowProgress
from cluster.importers.recording.lines import no_progress
from cluster.results.meter import Results
from cluster.runs.judged_run import Watch

_UPDATE_EVERY_S = 0.2


@contextmanager
def spinner(text: str, *, quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """Show that something goes on: yield what changes the text, or None if nobody looks."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda now: bar.update(task, description=now)


class Pace:
    """Says when it is time to show again, and how fast a search or a run is."""

    def __init__(self) -> None:
        """Begin."""
        self._started_s = self._shown_s = time.monotonic()

    def due(self) -> bool:
        """Say whether the last time was long enough ago."""
        now_s = time.monotonic()
        if now_s - self._shown_s < _UPDATE_EVERY_S:
            return False
        self._shown_s = now_s
        return True

    def rate(self, count: int) -> float:
        """Return how many a second that is, since the beginning."""
        return count / max(time.monotonic() - self._started_s, 1e-9)


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[tuple[Watch, ...]]:
    """Show deliveries, simulated time and rate: yield a watch, or none if nobody looks.

    How long a run will be is not known before its end, so there is no bar and no estimate.
    """
    with spinner(title, quiet=quiet) as show:
        if show is None:
            yield ()
            return
        pace = Pace()

        def watch(deliveries: int, simulated_ns: int, _results: Results) -> None:
            if pace.due():
                rate = f"{pace.rate(deliveries):,.0f}/s"
                show(f"{title}: {deliveries:,} deliveries, {duration(simulated_ns)}, {rate}")

        yield (watch,)


@contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[ShowProgress]:
    """Show how far a file is read: yield what takes bytes done and bytes to do."""
    watched = Console(stderr=True)
    if quiet or not watched.is_terminal:
        yield no_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=watched, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
