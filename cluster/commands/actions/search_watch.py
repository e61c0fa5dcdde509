"""Watches of a search: one shows how far it is, one stops it when its time is over."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.commands.output.found.search_result import how_far
from cluster.commands.output.progress import Pace, spinner
from cluster.explore.search import SearchResult, Watch


def until(started_s: float, seconds: float, show: Watch) -> Watch:
    """Make a watch that shows, and stops when the time is over."""

    def watch(search: SearchResult) -> bool:
        show(search)
        return time.monotonic() - started_s < seconds

    return watch


@contextmanager
def search_progress(name: str, *, quiet: bool) -> Iterator[Watch]:
    """Show how far a search is: yield a watch, which shows nothing where nobody looks."""
    with spinner(name, quiet=quiet) as show:
        pace = Pace()

        def watch(search: SearchResult) -> bool:
            if show is not None and pace.due():
                show(how_far(name, search, pace.rate(search.deliveries)))
            return True

        yield watch
