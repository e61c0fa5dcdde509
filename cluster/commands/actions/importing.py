"""Imports as `holezero import` makes them: shown while they go on, and reported."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

from cluster.commands.output.console import console
from cluster.commands.output.progress import progress_bar
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import Progress
from cluster.importers.report import ImportReport, report_table

_Importer = Callable[[Path, Path, ImportOptions, Progress], ImportReport]


def import_recording(
    importer: _Importer, recording: Path, out: Path, choices: Mapping[str, object], *, as_json: bool
) -> None:
    """Import a recording, and print what became of it.

    Raises:
        InputError: it is no such recording, or the workload cannot be written.
    """
    options = msgspec.convert(choices, ImportOptions)
    with progress_bar(recording.name, quiet=False) as show:
        report = importer(recording, out, options, show)
    if as_json:
        click.echo(report.to_json())
    else:
        console().print(report_table(report))
