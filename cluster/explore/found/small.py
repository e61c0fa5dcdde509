"""A trace made small: its order is shrunk, written as another trace, and told as a story."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from cluster.explore.found.effort import Effort
from cluster.explore.found.named import read_order
from cluster.explore.found.shrink import ShrinkError, Shrunk, shrink
from cluster.explore.found.story import Story, tell
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.trace.format import SUFFIX


class Small(msgspec.Struct, frozen=True):
    """What is left, where it is, and its story."""

    trace: Path
    shrunk: Shrunk
    story: Story


def small_name(trace: Path) -> Path:
    """Return the path of the small trace, beside the other."""
    return trace.with_name(f"{trace.name.removesuffix(SUFFIX)}.small{SUFFIX}")


def make_small(
    trace: Path,
    target: Path,
    *,
    workload: Path | None,
    effort: Effort | None = None,
    watch: Callable[[Shrunk, str], None],
) -> Small:
    """Shrink the order of a trace that breaks a promise, and write it to `target`.

    watch: called with what is left and what is tried next; may raise StopShrinking.

    Raises:
        InputError: the trace cannot be used or breaks nothing, or the target cannot be written.
    """
    recorded = read_order(trace, workload)

    try:
        shrunk = shrink(recorded.setup, recorded.path, effort=effort, watch=watch)
    except ShrinkError as e:
        if recorded.verdict:
            raise
        raise ShrinkError(f"{e}; but the trace is cut short, and has no more") from e
    write_witness(target, shrunk.setup, shrunk.path, VIOLATED + shrunk.promise)
    return Small(target, shrunk, tell(shrunk.setup, shrunk.path))
