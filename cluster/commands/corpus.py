"""`holezero corpus`: the recorded answers of a real kernel against the simulated one."""

from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.text import Text

from cluster.commands.output.progress import progress_bar
from cluster.commands.output.tables import console, plain_table
from cluster.corpus import judging
from cluster.corpus.program import ALWAYS, AS_RECORDED, HOLE_ZERO, LINUX, NEVER, RANDOM
from cluster.results.json_text import json_text

DIFFERS = 1
_SHOWN = 10
_ABOUT = {LINUX: "the recorded calls", HOLE_ZERO: "with HOLE and ZERO as real calls"}


@click.command("corpus", short_help="Compare with recorded answers of a real kernel.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--reclaim",
    type=click.Choice([AS_RECORDED, NEVER, ALWAYS, RANDOM]),
    default=AS_RECORDED,
    show_default=True,
    help="When pages are reclaimed that may be: where the recording says so (MADV_PAGEOUT), "
    "never, as soon as they may be, or also between operations drawn by the seed.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def corpus_command(
    context: click.Context,
    /,
    file: Path,
    *,
    reclaim: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a corpus of recorded sequences of memory operations, and compare every outcome.

    FILE holds a sequence of operations a line, by one or several processes, with what each gave on
    a real Linux kernel: values, errno, signals, residency. The simulated kernel makes the same
    calls under a policy like Linux's. Sequences that emulate HOLE and ZERO by pairs of calls run
    once more with the real calls, and must give the same.

    \b
    holezero corpus linux_vmops.jsonl.gz
    holezero corpus linux_vmops.jsonl.gz --reclaim random --seed 7 --json

    Exit codes: 0 nothing differed and no promise was broken, 1 something did, 2 bad input.
    """  # noqa: D301 - click's mark for lines that stay as they are
    reports = {}
    for way, about in _ABOUT.items():
        with progress_bar(f"{file.name}, {about}", quiet=quiet) as show:
            reports[way] = judging.run(file, way, reclaim=reclaim, seed=seed, progress=show)
    if as_json:
        both = {"reclaim": reclaim, "seed": seed, **_json(reports[LINUX])}
        both["hole_zero"] = _json(reports[HOLE_ZERO])
        click.echo(json_text(both))
    else:
        _print(reports)
    bad = any(report.differed or report.violations for report in reports.values())
    context.exit(DIFFERS if bad else 0)


def _json(report: judging.Report) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(report)
    return {
        **found,
        "differed": len(report.differed),
        "violations": len(report.violations),
        "differences": found["differed"],
        "broken": found["violations"],
    }


def _print(reports: dict[str, judging.Report]) -> None:
    out = console()
    table = plain_table(out, "operations", *(_ABOUT[way] for way in reports))
    rows: dict[str, Callable[[judging.Report], int]] = {
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
