"""`holezero import`: recordings of real programs become workload files."""

from collections.abc import Callable
from pathlib import Path

import click

from cluster.importers.options import AssumedTouch, ReuseRange

_Command = Callable[..., None]


@click.group("import", short_help="Turn a recording of a real program into a workload (.hzw).")
def import_group() -> None:
    """Turn a recording of a real program into a workload (.hzw) that scenarios can run.

    One process of the recording is imported: its threads become guest threads, its releases and
    reuses of memory become the instructions that each policy makes its own system calls of, and
    Await instructions keep the recorded order where threads meet on a page.
    """


def _shared_options(command: _Command) -> _Command:
    """Add what both kinds of recording have in common."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option(
            "--reuse",
            type=click.Choice([str(one) for one in ReuseRange]),
            default=str(ReuseRange.RANGE),
            show_default=True,
            help="What the first touch of released memory takes into use where no mprotect tells: "
            "what is left of the released range, just the page, or nothing (the touch is then "
            "an access to memory that stays released).",
        ),
        click.option(
            "--process",
            type=click.IntRange(min=1),
            metavar="PID",
            help="The process to import; by default the one with the most memory events among "
            "those that are no forked child, or did an exec. Everything before its last exec is "
            "left out.",
        ),
        click.option(
            "-o",
            "--out",
            type=click.Path(path_type=Path, dir_okay=False),
            required=True,
            metavar="WORKLOAD",
            help="The workload file to write; it appears only when it is complete.",
        ),
        click.argument("recording", type=click.Path(path_type=Path), metavar="RECORDING"),
    ):
        command = option(command)
    return command


@import_group.command("faults")
@_shared_options
@click.option(
    "--children",
    is_flag=True,
    help="Import the children that it forks, and theirs, as processes of their own. The workload "
    "then begins with the last exec of the process, as without.",
)
@click.option(
    "--no-file-faults",
    is_flag=True,
    help="Leave out faults in file mappings, which are zero-filled memory in a workload.",
)
@click.option(
    "--fault-ns",
    type=click.IntRange(min=0, max=1_000_000),
    default=700,
    show_default=True,
    help="How long a recorded fault is taken to have lasted; it is not thinking time.",
)
def faults_command(
    recording: Path, out: Path, *, as_json: bool, no_file_faults: bool, **choices: object
) -> None:
    """Import a recording of system calls and page faults by kernel tracepoints (.ft, .ft.gz).

    Every page fault is an access of the workload, so the first touch after each release is
    exact where the program gave memory back with MADV_DONTNEED. Linux keeps pages mapped after
    MADV_FREE: recordings named *_free2dn had it turned into MADV_DONTNEED to show the touches.
    """
    from cluster.commands.actions.importing import import_recording
    from cluster.importers.faults import import_faults

    choices["file_touches"] = not no_file_faults
    import_recording(import_faults, recording, out, choices, as_json=as_json)


@import_group.command("strace")
@_shared_options
@click.option(
    "--touch",
    type=click.Choice([str(one) for one in AssumedTouch]),
    default=str(AssumedTouch.RELEASE),
    show_default=True,
    help="strace sees no touches. Assume that the first pages of a range are written just before "
    "it is released (release), as soon as it is writable (first), or never (none).",
)
@click.option(
    "--touch-fraction",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="At most this part of a range is touched (real programs: 0.06 to 0.8).",
)
@click.option(
    "--touch-pages",
    type=click.IntRange(min=0),
    default=512,
    show_default=True,
    help="At most so many pages are touched for one call; reservations are huge.",
)
def strace_command(recording: Path, out: Path, *, as_json: bool, **choices: object) -> None:
    """Import an strace recording of memory calls.

    Record one with: strace -f -ttt -T -o FILE -e
    trace=%memory,clone,clone3,fork,vfork,execve,exit,exit_group PROGRAM
    """
    from cluster.commands.actions.importing import import_recording
    from cluster.importers.strace import import_strace

    import_recording(import_strace, recording, out, choices, as_json=as_json)
