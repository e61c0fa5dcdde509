"""What virtual memory costs on this Linux machine: a C program is compiled and run.

The program is `host_costs.c` beside this file. It limits its own time, and is killed after a while.
"""

import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import msgspec

from cluster.input_error import InputError

SOURCE = Path(__file__).with_name("host_costs.c")
#: after this a compiler or program that hangs is killed
_PATIENCE_S = 60.0
_COMPILERS = ("cc", "gcc", "clang")
_LINE_MAX = 200
_LINES_MAX = 100

Tell = Callable[[str], None]


class Figure(msgspec.Struct, frozen=True):
    """The median of so many samples; ns per call, or per further page."""

    ns: float
    samples: int


def measure(tell: Tell) -> dict[str, Figure]:
    """Measure; return figures by name, of which some machines lack some.

    tell: called with a line for each step.

    Raises:
        InputError: this is not Linux, there is no compiler, or the program failed.
    """
    if sys.platform != "linux":
        raise InputError(f"calibrate --host: measures Linux, and this is {platform.system()}")
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="holezero-") as folder:
        program = Path(folder) / "host_costs"
        tell(f"compiling {SOURCE.name} with {compiler[0]}")
        _compile(compiler, program)
        return _run(program, tell)


def find_compiler() -> list[str]:
    """Return the command of a C compiler: what `CC` says, else one of the usual names.

    Raises:
        InputError: there is none.
    """
    given = shlex.split(os.environ.get("CC", ""))
    for words in [given] if given else [[name] for name in _COMPILERS]:
        found = shutil.which(words[0])
        if found is not None:
            return [found, *words[1:]]
    what = f"CC={given[0]} is not there" if given else f"there is none of {', '.join(_COMPILERS)}"
    raise InputError(
        f"calibrate --host: needs a C compiler, and {what}: install one (Debian: apt-get install "
        "gcc libc6-dev) or set CC; `holezero profiles` lists profiles that ship"
    )


def _compile(compiler: list[str], program: Path) -> None:
    command = [*compiler, "-O2", "-pthread", "-o", str(program), str(SOURCE)]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own compiler, on a file of ours
            command, check=False, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise InputError(f"calibrate --host: {compiler[0]} did not compile: {e}") from e
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise InputError(f"calibrate --host: {compiler[0]} failed: {lines[0][:_LINE_MAX]}")


def _run(program: Path, tell: Tell) -> dict[str, Figure]:
    with subprocess.Popen(  # noqa: S603 - just compiled
        [str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        timer = threading.Timer(_PATIENCE_S, running.kill)
        timer.start()
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            figures = read_figures(_bounded(running.stdout), tell)
            code = running.wait()
        finally:
            running.kill()  # it has ended, unless its output was refused
            timer.cancel()
        said = running.stderr.read(_LINE_MAX).strip() or f"it ended with {code}"
    if code:
        raise InputError(f"calibrate --host: the measurement failed: {said}")
    return figures


def _bounded(stream: IO[str]) -> Iterable[str]:
    for _ in range(_LINES_MAX):
        line = stream.readline(_LINE_MAX)
        if not line:
            return
        yield line


def read_figures(lines: Iterable[str], tell: Tell) -> dict[str, Figure]:
    """Read `name ns samples` lines.

    Raises:
        InputError: a line is not such a line.
    """
    figures: dict[str, Figure] = {}
    for line in lines:
        try:
            name, ns, samples = line.split()
            figure = Figure(float(ns), int(samples))
            if not math.isfinite(figure.ns) or figure.samples < 1:
                raise ValueError(line)  # noqa: TRY301 - it is as wrong as the others
        except ValueError as e:
            raise InputError(f"calibrate --host: the measurement gave {line.strip()!r}") from e
        figures[name] = figure
        tell(f"{name}: {figure.ns:,.1f} ns, median of {figure.samples}")
    return figures
