"""A trace made small: shrunk, written, and told, by `shrink` and `hunt` alike."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from cluster.commands.output.story import print_story
from cluster.explore.found.named import read_order
from cluster.explore.found.shrink import Effort, ShrinkError, Shrunk, shrink
from cluster.explore.found.story import Story, tell
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.trace.format import SUFFIX

_SIZES = ("cores", "threads", "instructions", "deliveries")


class Small(msgspec.Struct, frozen=True):
    """What is left, and where it is."""

    trace: Path
    shrunk: Shrunk
    story: Story


def small_name(trace: Path) -> Path:
    """Name the small trace beside the other."""
    return trace.with_name(f"{trace.name.removesuffix(SUFFIX)}.small{SUFFIX}")


def make_small(
    trace: Path,
    target: Path,
    *,
    workload: Path | None,
    effort: Effort | None = None,
    show: Callable[[str], None],
) -> Small:
    """Shrink what a trace breaks and write it to `target`; `show` hears how far it is.

    Raises:
        InputError: the trace can not be used or breaks nothing, or the target can not be written.
    """
    recorded = read_order(trace, workload)

    def watch(shrunk: Shrunk, tried: str) -> None:
        show(f"shrinks: {_size_text(shrunk.now)}; tries {tried[:50]}")

    try:
        shrunk = shrink(recorded.setup, recorded.path, effort=effort, watch=watch)
    except ShrinkError as e:
        if recorded.verdict:
            raise
        raise ShrinkError(f"{e}; but the trace is cut short, and has no more") from e
    write_witness(target, shrunk.setup, shrunk.path, VIOLATED + shrunk.promise)
    return Small(target, shrunk, tell(shrunk.setup, shrunk.path))


def _size_text(size: tuple[int, ...]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in zip(_SIZES, size, strict=True))


def small_fields(small: Small) -> dict[str, object]:
    """Give it for JSON."""
    shrunk = small.shrunk
    return {
        "trace": str(small.trace),
        "property": shrunk.promise,
        "before": dict(zip(_SIZES, shrunk.before, strict=True)),
        "after": dict(zip(_SIZES, shrunk.now, strict=True)),
        "shortest": shrunk.shortest,
        "stopped": shrunk.stopped,
        "steps": shrunk.steps,
        "scenario": shrunk.setup.scenario,
        "story": small.story,
    }


def print_small(out: Console, small: Small) -> None:
    """Print its sizes before and after, and its story."""
    shrunk = small.shrunk
    which = "the shortest order" if shrunk.shortest else "no delivery can be left out"
    which = "as far as it came" if shrunk.stopped else which
    sizes = f"{_size_text(shrunk.before)} -> {_size_text(shrunk.now)}"
    out.print(Text(f"{small.trace}: {sizes} ({which})", style="bold"))
    print_story(out, small.story)
