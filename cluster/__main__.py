"""The command line: puts hosts, machines and dashboards together. Nothing imports this module."""

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any

import click

from cluster.commands.calibrate import calibrate_command
from cluster.commands.catalogue import policies_command, scenarios_command
from cluster.commands.corpus import corpus_command
from cluster.commands.explore import explore_command
from cluster.commands.hazards import hazards_command
from cluster.commands.hunt import hunt_command
from cluster.commands.importing import import_group
from cluster.commands.profiles import profiles_command
from cluster.commands.replay import replay_command
from cluster.commands.run import compare_command, run_command
from cluster.commands.shrink import shrink_command
from cluster.commands.trace import trace_group
from cluster.hosts.model import release
from cluster.input_error import InputError
from cluster.live.outcome import LiveError, WorkerDiedError
from cluster.runs.judged_run import RunFailedError

BAD_INPUT = 2
WORKER_DIED = 4
SOFTWARE_ERROR = 70
INTERRUPTED = 130
#: what a shell shows for a program that a closed pipe ended
PIPE_CLOSED = 141


class _PipeClosedError(Exception):
    """Standard output was closed by whoever read it."""


class _Commands(click.Group):
    """The group; click would end with 1, which means a broken promise, when a pipe closes."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:  # noqa: ANN401 - click's own
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            raise _PipeClosedError from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _PipeClosedError from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(release(), "--version", prog_name="holezero")
def cli() -> None:
    """Run the MADV_FREE_HOLE and MADV_FREE_ZERO protocol of CheriBSD issue 1318, simulated.

    Every core, address space, memory, page daemon and zeroing thread is a machine of its own that
    sees the others only through messages. A run says what a variant of the protocol costs on a
    workload, and whether its promises held.

    \b
    holezero compare main-job             a recorded sqlite, four variants side by side
    holezero run sqlite-snmalloc          one variant, in detail
    holezero policies fatal-hole          what a variant does and promises
    holezero replay runs/latest/run.trace the same run again, message by message
    holezero import faults F -o my.hzw    your own program

    Exit codes: 0 all is well, 1 a promise was broken, 2 bad input, 3 a replay differs, 4 a worker
    died, 5 a search is no proof, 70 an error of holezero itself, 130 interrupted.
    """  # noqa: D301 - click's mark for lines that stay as they are


for _command in (
    run_command,
    compare_command,
    explore_command,
    hunt_command,
    shrink_command,
    replay_command,
    corpus_command,
    trace_group,
    import_group,
    scenarios_command,
    policies_command,
    hazards_command,
    profiles_command,
    calibrate_command,
):
    cli.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; results go to stdout, everything else to stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:
        return _say("standard output is closed", BAD_INPUT)
    try:
        code = _run(args)
        sys.stdout.flush()
    except (BrokenPipeError, _PipeClosedError):
        _give_up_stdout()
        return PIPE_CLOSED
    except OSError as e:
        if sys.stdout is None or sys.stdout.closed or e.errno in (errno.ENOSPC, errno.EBADF):
            _give_up_stdout()
            return _say(f"standard output: can not be written: {e.strerror}", BAD_INPUT)
        return _unexpected(e)
    except Exception as e:  # noqa: BLE001 - the last resort
        return _unexpected(e)
    return code


def _give_up_stdout() -> None:
    """Let the interpreter's last flush go where everything fits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> int:
    """Tell an error of the program outside a run; its traceback goes to a file."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="holezero-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    return _say(f"{type(error).__name__}: {error}\n  log: {file.name}", SOFTWARE_ERROR)


def _run(args: list[str]) -> int:
    try:
        code = cli.main(args, prog_name="holezero", standalone_mode=False, obj=args)
    except click.ClickException as e:
        e.show()
        return BAD_INPUT
    except InputError as e:
        return _say(str(e), BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except WorkerDiedError as e:
        return _say(str(e), WORKER_DIED)
    except LiveError as e:
        return _say(str(e), SOFTWARE_ERROR)
    except RunFailedError as e:
        return _say(f"the run failed: {e}\n  kept: {e.directory}\n  log:  {e.log}", SOFTWARE_ERROR)
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    click.echo(f"holezero: {text}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
