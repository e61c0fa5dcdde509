"""`holezero replay`: make a recorded run again and compare it, message by message."""

from pathlib import Path

import click

from cluster.commands.output.progress import progress
from cluster.input_error import InputError
from cluster.replay.replaying import ReplayResult, replay
from cluster.results.json_text import json_text
from cluster.results.meter import Results
from cluster.runs import manifest
from cluster.runs.run_directory import EXPLORED, MANIFEST, TRACE

DIFFERS = 3


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

    Exit codes: 0 the same to the last message, 2 the trace can not be used, 3 it differs.
    """  # noqa: D301 - click's mark for lines that stay as they are
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
        click.echo(_json(path, result))
    else:
        click.echo(_text(path, result))
    context.exit(0 if result.same else DIFFERS)


def trace_file(path: Path) -> Path:
    """Give the trace that a path means: itself, or the one in a run's folder.

    Raises:
        InputError: a folder of a run that was recorded without one, or of a search without a find.
    """
    if not path.is_dir():
        return path
    if (path / MANIFEST).is_file() and not (path / TRACE).exists():
        raise InputError(
            f"{path}: holds a run without a trace (--trace off); `holezero run {path} "
            "--trace order` makes it again with one"
        )
    if (path / EXPLORED).is_file() and not (path / TRACE).exists():
        raise InputError(f"{path}: holds a search that found nothing, so there is no trace")
    return path / TRACE


def workload_beside(path: Path) -> Path | None:
    """Give the workload that the manifest in the trace's folder names, if it is still there."""
    beside = path.with_name(MANIFEST)
    if not beside.is_file():
        return None
    try:
        _, scenario = manifest.read(beside)
    except InputError:
        return None  # the trace itself says enough
    file = Path(scenario.workload.file)
    return file if scenario.workload.file and file.is_file() else None


def _json(path: Path, result: ReplayResult) -> bytes:
    header = result.header
    return json_text(
        {
            "trace": str(path),
            "same": result.same,
            "deliveries": result.deliveries,
            "digest": result.digest,
            "simulated_ns": result.simulated_ns,
            "engine": header.engine,
            "kind": header.kind,
            "preset": header.preset,
            "prefix": result.end is None,
            "cut": result.end is not None and result.end.cut,
            "recorded_verdict": result.end.verdict if result.end is not None else "",
            "difference": result.difference,
            "failures": result.failures,
            "left_over": result.left_over,
            "waiting": result.waiting,
        }
    )


def _text(path: Path, result: ReplayResult) -> str:
    header = result.header
    kind = "every message" if header.kind == "full" else "every digest"
    if result.difference is not None:
        return f"{path}: differs\n{result.difference.text()}"
    lines = [
        f"{path}: the same: {result.deliveries:,} deliveries, {kind} compared",
        f"digest {result.digest}, {header.engine}, {header.preset}",
    ]
    if result.end is None:
        lines.append("the trace was cut short; this is what there is of it")
    elif result.end.cut:
        lines.append("the recorded run lost an actor; this is its causally closed prefix")
    if result.left_over:
        lines.append(f"{result.left_over:,} deliveries of the log lack their causes")
    lines += [f"failed as recorded: {name}: {text}" for name, text in result.failures.items()]
    return "\n".join(lines)
