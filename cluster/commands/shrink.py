"""`holezero shrink`: make what broke a promise as small as it can be, and tell it as a story."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from cluster.commands.replay import trace_file, workload_beside
from cluster.commands.story import print_story
from cluster.commands.tables import console
from cluster.explore.named import read_order
from cluster.explore.shrink import Effort, Shrunk, Watch, shrink
from cluster.explore.story import tell
from cluster.explore.witness import VIOLATED, write_witness
from cluster.input_error import InputError
from cluster.trace import SUFFIX


@click.command("shrink", short_help="Make what broke a promise small, and tell it as a story.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The small trace; by default beside the other, as NAME.small.trace.",
)
@click.option(
    "--states",
    type=click.IntRange(min=0),
    default=Effort().states,
    show_default=True,
    help="Look through so many states for the shortest order.",
)
@click.option(
    "--drawn",
    type=click.IntRange(min=0),
    default=Effort().drawn,
    show_default=True,
    help="Draw so many orders, by two strategies, before a simpler scenario is given up.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def shrink_command(
    trace: Path, *, out: Path | None, states: int, drawn: int, as_json: bool, quiet: bool
) -> None:
    """Make what broke a promise as small as it can be, and tell it as a story.

    TRACE is a trace (inline, live or explored) of a run that broke a promise, or the folder of a
    run. Fewer cores, threads, processes, calls and pages are tried first, then fewer deliveries;
    what is left breaks the same promise. It is written as a trace that replays.

    \b
    holezero explore hazard-no-restart-after-busy --strategy pct
    holezero shrink runs/latest

    Exit codes: 0 it is written, 2 the trace can not be used, or breaks no promise.
    """  # noqa: D301 - click's mark for lines that stay as they are
    path = trace_file(trace)
    recorded = read_order(path, workload_beside(path))
    with _progress(quiet=quiet) as watch:
        effort = Effort(drawn=drawn, states=states)
        try:
            shrunk = shrink(recorded.setup, recorded.path, effort=effort, watch=watch)
        except InputError as e:
            raise InputError(f"{path}: {e}") from e
    target = out or path.with_name(path.name.removesuffix(SUFFIX) + f".small{SUFFIX}")
    write_witness(target, shrunk.setup, shrunk.path, VIOLATED + shrunk.promise)
    if as_json:
        click.echo(_json(target, shrunk), nl=False)
        return
    shown = console()
    shown.print(Text(f"{target}: {_sizes(shrunk)}", style="bold"))
    print_story(shown, tell(shrunk.setup, shrunk.path))


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Watch]:
    watched = Console(stderr=True)
    if quiet or not watched.is_terminal:
        yield lambda _, __: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=watched, transient=True) as bar:
        task = bar.add_task("shrink", total=None)

        def watch(shrunk: Shrunk, tried: str) -> None:
            bar.update(task, description=f"{_text(shrunk.now)}; tries {tried[:50]}")

        yield watch


def _text(size: tuple[int, int, int, int]) -> str:
    cores, threads, lines, deliveries = size
    return f"cores {cores}, threads {threads}, instructions {lines}, deliveries {deliveries:,}"


def _sizes(shrunk: Shrunk) -> str:
    which = "the shortest order" if shrunk.shortest else "no delivery can be left out"
    return f"{_text(shrunk.before)} -> {_text(shrunk.now)} ({which})"


def _json(target: Path, shrunk: Shrunk) -> bytes:
    keys = ("cores", "threads", "instructions", "deliveries")
    fields = {
        "trace": str(target),
        "property": shrunk.promise,
        "before": dict(zip(keys, shrunk.before, strict=True)),
        "after": dict(zip(keys, shrunk.now, strict=True)),
        "shortest": shrunk.shortest,
        "steps": shrunk.steps,
        "scenario": shrunk.setup.scenario,
        "story": tell(shrunk.setup, shrunk.path),
    }
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"
