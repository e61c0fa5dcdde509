"""Shrinking as `holezero shrink` does it: shown while it goes on, and stopped by Ctrl-C."""

from pathlib import Path

from cluster.commands.given.traces import workload_beside
from cluster.commands.output.found.shrunk import shrinking_text
from cluster.commands.output.progress import spinner
from cluster.explore.found.effort import Effort
from cluster.explore.found.shrink import ShrinkError, Shrunk, StopShrinking
from cluster.explore.found.small import Small, make_small
from cluster.input_error import InputError
from cluster.runs.interruption import interruptible


def shrink_trace(path: Path, target: Path, effort: Effort, *, quiet: bool) -> tuple[Small, int]:
    """Make a trace small; return also the signal that somebody stopped it by, or 0.

    Raises:
        InputError: the trace cannot be used or breaks nothing, or the target cannot be written.
    """
    with spinner("shrinks", quiet=quiet) as show, interruptible() as asked:

        def watch(shrunk: Shrunk, tried: str) -> None:
            if asked.number:
                raise StopShrinking
            if show is not None:
                show(shrinking_text(shrunk, tried))

        workload = workload_beside(path)
        try:
            small = make_small(path, target, workload=workload, effort=effort, watch=watch)
        except ShrinkError as e:
            raise InputError(f"{path}: {e}") from e
    return small, asked.number
