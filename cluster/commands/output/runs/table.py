"""The table of a run, or of several side by side, and what was broken in them."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.commands.output.console import console
from cluster.commands.output.runs.rows import sections
from cluster.results.summary import Summary

_VERDICT_STYLE = {
    "held": "green",
    "violated": "bold red",
    "unchecked": "yellow",
    "waits in vain": "bold red",
}
_VIOLATIONS_SHOWN = 5


def print_runs(runs: Sequence[Summary]) -> None:
    """Print one run, or several side by side, and what was broken in them."""
    out = console()
    first = runs[0]
    out.print(Text(", ".join(_about(first)), style="bold"))
    table = Table(
        box=box.SIMPLE_HEAD if out.is_terminal else None,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for one in runs:
        table.add_column(one.preset, justify="right")
    for heading, rows in sections(runs):
        if heading:
            table.add_row("")
            table.add_row(Text(heading, style="bold"))
        for label, texts in rows:
            table.add_row(label, *(Text(t, style=_VERDICT_STYLE.get(t, "")) for t in texts))
    out.print(table)
    for text in first.assumptions:
        if len(runs) > 1 and "Assumed:" not in text:
            continue  # in each run's summary.json
        out.print(Text(f"taken for granted: {text}", style="dim"))
    for one in runs:
        _print_violations(out, one)
        _print_killed(out, one)
        _print_waits(out, one)
    for one in runs:
        out.print(Text(f"{one.preset}: {one.directory}", style="dim"))


def _about(one: Summary) -> Iterator[str]:
    """Say what all runs of a table have in common."""
    yield one.scenario
    yield one.engine
    if one.workload:
        yield f"{one.workload['file']} in {one.workload['timing']} time"
        if one.workload["mapping"] != "policy":
            yield f"{one.workload['mapping']} calls"
    yield f"{one.machine['cores']} cores"
    yield str(one.machine["profile"])


def _print_killed(out: Console, one: Summary) -> None:
    for killed in one.metrics["killed"]:
        text = Text(f"{one.preset}: out of memory: ", style="bold red")
        told = (
            f"process {killed['process']} was killed, with {killed['resident_pages']:,} pages "
            f"resident, {killed['swapped_pages']:,} in swap and {killed['free_frames']:,} frames "
            "free; what it did not do any more is in no figure: give the machine more frames or "
            "swap (machine.frames, machine.swap_slots)"
        )
        text.append(told, style="default")
        out.print(text)


def _print_waits(out: Console, one: Summary) -> None:
    for what in one.waits_in_vain:
        text = Text(f"{one.preset}: waits in vain: ", style="bold red")
        told = f"{what}, which nobody will execute: the thread has ended, or was never started"
        text.append(told, style="default")
        out.print(text)


def _print_violations(out: Console, one: Summary) -> None:
    shown = one.violations[:_VIOLATIONS_SHOWN]
    for violation in shown:
        text = Text(f"{one.preset}: broken promise: ", style="bold red")
        text.append(f"{violation['property']}: {violation['text']}", style="default")
        out.print(text)
        where = f"    delivery {violation['delivery']:,}"
        if one.simulated_ns is not None:
            where += f" at {violation['when']:,} ns"
        where += f", process {violation['asid']}"
        if violation["vpn"] >= 0:
            where += f", page {violation['vpn']:#x}"
        out.print("; ".join([where, *violation["operations"]]))
    left = len(one.violations) - len(shown)
    if left:
        out.print(f"{one.preset}: and {left} more, all in summary.json")
