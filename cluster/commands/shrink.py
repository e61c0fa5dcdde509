"""`holezero shrink`: make what broke a promise as small as it can be, and tell it as a story."""

from pathlib import Path

import click

from cluster.commands import exit_codes
from cluster.explore.found.effort import Effort
from cluster.input_error import InputError


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
@click.pass_context
def shrink_command(
    context: click.Context,
    /,
    trace: Path,
    *,
    out: Path | None,
    states: int,
    drawn: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make what broke a promise as small as it can be, and tell it as a story.

    TRACE is a trace (inline, live or explored) of a run that broke a promise, or the folder of a
    run. Fewer cores, threads, processes, calls and pages are tried first, then fewer deliveries;
    what is left breaks the same promise. It is written as a trace that replays.

    \b
    holezero explore hazard-no-restart-after-busy --strategy pct
    holezero shrink runs/latest

    Exit codes: 0 it is written, 2 the trace cannot be used, or breaks no promise, 130 interrupted
    (143: by SIGTERM): as small as it is by then, it is written.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.actions.shrinking import shrink_trace
    from cluster.commands.given.traces import trace_file
    from cluster.commands.output.console import console
    from cluster.commands.output.found.shrunk import print_small, small_fields
    from cluster.explore.found.small import small_name
    from cluster.results.json_text import json_text

    path = trace_file(trace)
    target = out or small_name(path)
    if not target.parent.is_dir():
        raise InputError(f"--out {target}: there is no folder {target.parent}")
    effort = Effort(drawn=drawn, states=states)
    small, signal = shrink_trace(path, target, effort, quiet=quiet)
    if as_json:
        click.echo(json_text(small_fields(small)))
    else:
        print_small(console(), small)
    context.exit(exit_codes.of_signal(signal) if signal else 0)
