"""Traces as users name them: a file, or the folder of a run."""

from pathlib import Path

from cluster.input_error import InputError
from cluster.runs import manifest
from cluster.runs.run_directory import EXPLORED, MANIFEST, TRACE


def trace_file(path: Path) -> Path:
    """Return the trace that a path means: itself, or the one in a run's folder.

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
    """Return the workload that the manifest in the trace's folder names, if it is still there."""
    beside = path.with_name(MANIFEST)
    if not beside.is_file():
        return None
    try:
        _, scenario = manifest.read(beside)
    except InputError:
        return None  # the trace itself says enough
    file = Path(scenario.workload.file)
    return file if scenario.workload.file and file.is_file() else None
