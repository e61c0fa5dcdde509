"""`holezero replay`: make a recorded run again and compare it, message by message."""

from pathlib import Path

import click

from cluster.commands import exit_codes


@click.command("replay", short_help="Make a recorded run again and compare it.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--workload",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The recorded workload, if it is neither shipped nor where the run's manifest says.",
)
@click.option(
    "--prefix",
    is_flag=True,
    help="Take a trace that was cut short (the run was killed), up to where it goes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def replay_command(
    context: click.Context,
    /,
    trace: Path,
    *,
    workload: Path | None,
    prefix: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a recorded run again, inline, and compare every digest (of a full trace every message).

    TRACE is a file (.trace) or the folder of a run. Live runs replay too, in their recorded order.
    The first difference is shown with the story of the operation in which it shows.

    \b
    holezero run my.toml --trace full
    holezero replay runs/latest

    Exit codes: 0 the same to the last message, 2 the trace cannot be used, 3 it differs.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.given.traces import trace_file, workload_beside
    from cluster.commands.output.progress import progress
    from cluster.commands.output.replay_result import encode, replay_text
    from cluster.replay.replaying import replay
    from cluster.results.meter import Results

    path = trace_file(trace)
    with progress(f"replay {path}", quiet=quiet) as watches:
        nothing = Results()
        result = replay(
            path,
            workload=workload or workload_beside(path),
            allow_prefix=prefix,
            progress=(lambda n: watches[0](n, 0, nothing)) if watches else None,
        )
    if as_json:
        click.echo(encode(path, result))
    else:
        click.echo(replay_text(path, result))
    context.exit(0 if result.same else exit_codes.DIFFERS)
