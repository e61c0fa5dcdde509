"""What came of comparing with a corpus, printed or as JSON."""

from collections.abc import Callable, Mapping

import msgspec
from rich.text import Text

from cluster.commands.output.console import console, plain_table
from cluster.corpus.judging import Report
from cluster.corpus.program import HOLE_ZERO, LINUX
from cluster.results.json_text import json_text

#: ways to run a corpus, as they are told
WAYS = {LINUX: "the recorded calls", HOLE_ZERO: "with HOLE and ZERO as real calls"}
_SHOWN = 10


def encode(reports: Mapping[str, Report], *, reclaim: str, seed: int) -> bytes:
    """Return the reports of both ways as JSON."""
    both = {"reclaim": reclaim, "seed": seed, **_json(reports[LINUX])}
    both["hole_zero"] = _json(reports[HOLE_ZERO])
    return json_text(both)


def _json(report: Report) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(report)
    return {
        **found,
        "differed": len(report.differed),
        "violations": len(report.violations),
        "differences": found["differed"],
        "broken": found["violations"],
    }


def print_reports(reports: Mapping[str, Report]) -> None:
    """Print what agreed and what did not, and the first differences."""
    out = console()
    table = plain_table(out, "operations", *(WAYS[way] for way in reports))
    rows: dict[str, Callable[[Report], int]] = {
        "agreed": lambda one: one.agreed,
        "  of these by an alternative": lambda one: one.alternatives,
        "differed": lambda one: len(one.differed),
        "not applicable": lambda one: one.not_applicable.total(),
    }
    for name, count in rows.items():
        table.add_row(name, *(f"{count(report):,}" for report in reports.values()))
    reasons = sorted(set().union(*(report.not_applicable for report in reports.values())))
    for reason in reasons:
        counts = (f"{report.not_applicable[reason]:,}" for report in reports.values())
        table.add_row(f"  {reason}", *counts)
    table.add_row(
        "whole sequences", *(f"{report.whole_sequences:,}" for report in reports.values())
    )
    table.add_row("broken promises", *(f"{len(r.violations):,}" for r in reports.values()))
    out.print(table)
    for report in reports.values():
        for one in report.differed[:_SHOWN]:
            text = f"{one.sequence}, operation {one.index}: {one.operation}: recorded "
            out.print(Text(f"{text}{one.expected}, simulated {one.simulated}", style="red"))
        if len(report.differed) > _SHOWN:
            out.print(f"and {len(report.differed) - _SHOWN:,} more, all with --json")
        for broken in report.violations[:_SHOWN]:
            out.print(Text(f"broken promise: {broken}", style="red"))
