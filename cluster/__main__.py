"""The program: runs one command and turns what went wrong into an exit code and a message."""

import contextlib
import errno
import os
import sys
from collections.abc import Sequence

import click

from cluster.commands import exit_codes
from cluster.commands.command_line import PipeClosedError, command_line
from cluster.input_error import InputError
from cluster.live.errors import LiveError, WorkerDiedError
from cluster.runs.run_failed import RunFailedError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; results go to stdout, all else to stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:
        return _say("standard output is closed", exit_codes.BAD_INPUT)
    try:
        code = _run(args)
        sys.stdout.flush()
    except (BrokenPipeError, PipeClosedError):
        _give_up_stdout()
        return exit_codes.PIPE_CLOSED
    except OSError as e:
        if sys.stdout is None or sys.stdout.closed or e.errno in (errno.ENOSPC, errno.EBADF):
            _give_up_stdout()
            return _say(f"standard output: cannot be written: {e.strerror}", exit_codes.BAD_INPUT)
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
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="holezero-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    text = f"{type(error).__name__}: {error}\n  log: {file.name}"
    return _say(text, exit_codes.SOFTWARE_ERROR)


def _run(args: list[str]) -> int:
    try:
        code = command_line.main(args, prog_name="holezero", standalone_mode=False, obj=args)
    except click.ClickException as e:
        e.show()
        return exit_codes.BAD_INPUT
    except InputError as e:
        return _say(str(e), exit_codes.BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", exit_codes.INTERRUPTED)
    except WorkerDiedError as e:
        return _say(str(e), exit_codes.WORKER_DIED)
    except LiveError as e:
        return _say(str(e), exit_codes.SOFTWARE_ERROR)
    except RunFailedError as e:
        text = f"the run failed: {e}\n  kept: {e.directory}\n  log:  {e.log}"
        return _say(text, exit_codes.SOFTWARE_ERROR)
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    click.echo(f"holezero: {text}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
