"""`holezero trace`: traces made readable."""

import sys
from pathlib import Path

import click

from cluster.commands import exit_codes


def number(text: str) -> int:
    """Read a number, decimal or hexadecimal with 0x."""
    try:
        return int(text, 0)
    except ValueError as e:
        raise ValueError(f"{text!r} is no number (16, 0x10)") from e


@click.group("trace", short_help="Read traces.")
def trace_group() -> None:
    """Read traces of runs."""


@trace_group.command("show", short_help="Print a trace, one line a message.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--actor", metavar="NAME", help="Only messages from or to this actor (core0, vm0).")
@click.option(
    "--op",
    "operation",
    metavar="LANE",
    help="Only messages of this operation: a guest thread's name or number, a kernel thread, or an "
    "entry that leaves a TLB (tlb.p0.0x1).",
)
@click.option(
    "--page",
    type=number,
    help="Only messages that mention this virtual page number; those that name a page by its "
    "object (o1.16) or its frame only do not.",
)
@click.option("--from", "from_ns", type=number, metavar="NS", help="From this simulated time.")
@click.option("--to", "to_ns", type=number, metavar="NS", help="Up to this simulated time.")
@click.option(
    "--workload",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The recorded workload, if it is neither shipped nor where the run's manifest says.",
)
@click.option("--prefix", is_flag=True, help="Take a trace that was cut short.")
@click.pass_context
def show_command(
    context: click.Context,
    /,
    trace: Path,
    *,
    workload: Path | None,
    prefix: bool,
    **chosen: object,
) -> None:
    """Print a trace: simulated time in ns, sender > receiver, operation, message.

    TRACE is a file (.trace) or the folder of a run. A trace of orders holds no messages: it is
    replayed for them, and exits 3 where it differs.

    \b
    holezero trace show runs/latest --actor core0 --from 0 --to 100000
    holezero trace show runs/latest --page 0x7f12f | less
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.given.traces import trace_file, workload_beside
    from cluster.replay.show import Filter, show

    path = trace_file(trace)
    difference = show(
        path,
        sys.stdout,
        Filter(**chosen),  # type: ignore[arg-type]
        workload=workload or workload_beside(path),
        allow_prefix=prefix,
    )
    if difference is not None:
        click.echo(difference.text(), err=True)
        context.exit(exit_codes.DIFFERS)
