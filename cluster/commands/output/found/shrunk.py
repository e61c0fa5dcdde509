"""A trace made small, as `shrink` and `hunt` print it or give it as JSON."""

from rich.console import Console
from rich.text import Text

from cluster.commands.output.found.story import print_story
from cluster.explore.found.shrink import Shrunk
from cluster.explore.found.small import Small

_SIZES = ("cores", "threads", "instructions", "deliveries")


def shrinking_text(shrunk: Shrunk, tried: str) -> str:
    """Say how far shrinking is, and what is tried next."""
    return f"shrinks: {_size_text(shrunk.now)}; tries {tried[:50]}"


def _size_text(size: tuple[int, ...]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in zip(_SIZES, size, strict=True))


def small_fields(small: Small) -> dict[str, object]:
    """Return it for JSON."""
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
