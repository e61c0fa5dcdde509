"""What an import did, for the person who asked for it."""

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster.results.json_text import json_text


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an import."""

    source: str
    out: str
    format: str
    #: pid of the imported process
    process: int
    program: str
    #: digest of the workload, hexadecimal
    digest: str
    lines: int
    #: uncompressed bytes of the recording
    bytes: int
    #: lines that only begin like lines of a recording, overlong ones included
    malformed: int
    #: lines from elsewhere, such as the program's own output
    foreign: int
    #: the file ended, or broke, inside its compression; what could be read is imported
    truncated: bool
    threads: int
    #: instructions by kind
    instructions: dict[str, int]
    left_out: dict[str, int]
    approximated: dict[str, int]
    recorded_faults: dict[str, int]
    #: distinct pages that accesses touch
    pages: int
    duration_ns: int
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json_text(self).decode()


def report_table(report: ImportReport) -> RenderableType:
    """Render a report for a terminal."""
    total = sum(report.instructions.values())
    head = Table.grid(padding=(0, 2))
    head.add_row("recording", f"{report.source} ({report.format}), {report.lines:,} lines")
    head.add_row("process", f"{report.process} {report.program}".rstrip())
    head.add_row("workload", f"{report.out}, digest {report.digest}")
    head.add_row(
        "holds",
        f"{total:,} instructions of {report.threads:,} threads, {report.pages:,} pages, "
        f"{report.duration_ns / 1e9:.3f} s",
    )
    if report.malformed or report.foreign:
        bad = f"{report.malformed:,} malformed, {report.foreign:,} of something else"
        head.add_row("lines skipped", bad)
    parts: list[RenderableType] = [head]
    for title, counts in (
        ("instructions", report.instructions),
        ("left out", report.left_out),
        ("approximated", report.approximated),
        ("recorded faults", report.recorded_faults),
    ):
        if counts:
            parts.append(_counts(title, counts))
    # these texts come from files: markup in them must not be obeyed
    parts += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return Group(*parts)


def _counts(title: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(min_width=30)
    table.add_column(justify="right")
    for kind, count in counts.items():
        table.add_row(Text(f"  {kind}"), f"{count:,}")
    return table
