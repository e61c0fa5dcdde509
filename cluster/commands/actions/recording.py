"""`holezero compare RECORDING`: faults and TLB flushes of a real kernel beside simulated ones."""

from pathlib import Path

import click

from cluster.commands import exit_codes
from cluster.commands.output.progress import progress_bar
from cluster.commands.output.recording_result import encode, print_comparison
from cluster.importers.recording.recording_kind import kind_of
from cluster.input_error import InputError
from cluster.oracle.comparison import COMPARED, Oracle, compare_recording

#: the part of the recorded faults that the simulation must have, of all and of each cause that has
#: more than so many
AGREE_ALL, AGREE_CAUSE, CAUSE_EVENTS = 0.95, 0.80, 100
#: files that are never recordings
_OTHERS = {".toml", ".hzw", ".json", ".trace"}


def is_recording(path: Path) -> bool:
    """Say whether a file is a recording of page faults.

    Raises:
        InputError: it is a recording, but not of page faults.
    """
    if not path.is_file() or path.suffix in _OTHERS:
        return False
    kind = kind_of(path)
    if kind == "strace":
        raise InputError(
            f"{path}: a recording by strace shows no page faults to compare with; "
            f"`holezero import strace {path} -o W.hzw` makes a workload of it"
        )
    return kind is not None


def compare_faults(path: Path, *, seed: int, as_json: bool, quiet: bool) -> int:
    """Compare, print, and return the exit code: 1 where too much differs."""
    with progress_bar(path.name, quiet=quiet) as show:
        found = compare_recording(path, seed=seed, progress=show)
    agrees = _agrees(found)
    if as_json:
        click.echo(encode(found, agrees=agrees))
    else:
        least = (
            f"{AGREE_ALL:.0%} of all, {AGREE_CAUSE:.0%} of each cause with more than "
            f"{CAUSE_EVENTS} faults must agree"
        )
        print_comparison(found, too_little="" if agrees else least)
    return 0 if agrees else exit_codes.VIOLATED


def _agrees(found: Oracle) -> bool:
    model = found.model
    causes = (model.by_label[label.name.lower()] for label in COMPARED)
    return model.recall >= AGREE_ALL and all(
        one.faulted >= AGREE_CAUSE * one.accesses for one in causes if one.accesses > CAUSE_EVENTS
    )
