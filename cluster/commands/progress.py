"""Progress of a run, or of reading a file, on standard error, if somebody watches."""

import time
from collections.abc import Iterator
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

from cluster.commands.rows import duration
from cluster.importers.lines import Progress as ShowProgress
from cluster.importers.lines import no_progress
from cluster.judged_run import Watch
from cluster.results import Results

_UPDATE_EVERY_S = 0.2


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[tuple[Watch, ...]]:
    """Show deliveries, simulated time and rate; gives no watch where nobody looks.

    How long a run will be is not known before its end, so there is no bar and no estimate.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield ()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        started_s = shown_s = time.monotonic()

        def watch(deliveries: int, simulated_ns: int, _results: Results) -> None:
            nonlocal shown_s
            now_s = time.monotonic()
            if now_s - shown_s < _UPDATE_EVERY_S:
                return
            shown_s = now_s
            rate = deliveries / max(now_s - started_s, 1e-9)
            text = f"{title}: {deliveries:,} deliveries, {duration(simulated_ns)}, {rate:,.0f}/s"
            bar.update(task, description=text)

        yield (watch,)


@contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[ShowProgress]:
    """Show how far a file is read; gives a function of bytes done and bytes to do."""
    watched = Console(stderr=True)
    if quiet or not watched.is_terminal:
        yield no_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=watched, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
