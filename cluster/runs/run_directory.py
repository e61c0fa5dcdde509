"""The folder of a run: `runs/<utc time>-<name>-<preset>/`, and `runs/latest` to the last one.

    manifest.json  what is needed to run it again, written before the run starts
    summary.json   what came out, byte for byte what `--json` prints
    run.trace      the messages, unless `--trace off`
    log.jsonl      what the command did, one JSON object a line
    explored.json, hunt.json   what a search, or a hunt, came to (instead of the first two)

Files appear whole or not at all: they are written beside and renamed into place.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from cluster.input_error import InputError

RUNS = Path("runs")
LATEST = "latest"
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
TRACE = "run.trace"
LOG = "log.jsonl"
EXPLORED = "explored.json"
HUNT = "hunt.json"
#: each says that a folder is of holezero's own
_OWN = (MANIFEST, EXPLORED, HUNT)

_SAME_SECOND_MAX = 1000
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file by `data`, or leave it as it is.

    Raises:
        InputError: no space, no permission, no such folder.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as e:
        beside.unlink(missing_ok=True)
        raise _unwritable(path, e) from e


def make_run_directory(name: str, preset: str, out: Path | None) -> Path:
    """Make the folder of a new run and give its path.

    out: the folder itself, instead of a new one under `runs/`; an earlier run that is there is
        kept beside it, as `out.1`.

    Raises:
        InputError: it cannot be made, or `out` holds something else than a run.
    """
    if out is not None:
        return _given_directory(out)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"{now}-{_UNSAFE.sub('-', name)}-{_UNSAFE.sub('-', preset)}"
    for number in range(1, _SAME_SECOND_MAX):
        path = RUNS / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError as e:
            if not path.is_dir():
                raise _unwritable(path, e) from e
        except OSError as e:
            raise _unwritable(path, e) from e
        else:
            return path
    raise InputError(f"{RUNS / stem}: there are {_SAME_SECOND_MAX} runs of this second already")


def _given_directory(out: Path) -> Path:
    try:
        if out.name and any((out / name).exists() for name in _OWN):
            _keep_aside(out)
        out.mkdir(parents=True, exist_ok=True)
        foreign = any(out.iterdir())
    except OSError as e:
        raise _unwritable(out, e) from e
    if foreign:
        raise InputError(f"--out {out}: the folder holds something else; give a new or empty one")
    return out


def _keep_aside(out: Path) -> None:
    """Rename the folder of an earlier run: what is there is somebody's."""
    for number in range(1, _SAME_SECOND_MAX):
        aside = out.with_name(f"{out.name}.{number}")
        if not aside.exists():
            out.rename(aside)
            return
    raise InputError(f"--out {out}: {out}.1 to .{_SAME_SECOND_MAX - 1} are kept already")


def point_latest(run: Path) -> None:
    """Let `latest` beside the run point to it; nothing happens for folders outside `runs/`.

    Raises:
        InputError: the link cannot be written.
    """
    if run.parent != RUNS:
        return
    beside = RUNS / f".{LATEST}.{os.getpid()}"
    try:
        beside.unlink(missing_ok=True)
        beside.symlink_to(run.name, target_is_directory=True)
        beside.replace(RUNS / LATEST)
    except OSError as e:
        raise _unwritable(RUNS / LATEST, e) from e


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written: {error.strerror}.")
