"""What came of a search: kept in a folder, printed or as JSON."""

from pathlib import Path

import click
import msgspec
from rich.text import Text

from cluster.commands.output.console import console
from cluster.explore.choices import Strategy
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.explore.search import SearchResult, Verdict
from cluster.results.json_text import json_text
from cluster.runs.run_directory import EXPLORED, TRACE, point_latest, write_atomically
from cluster.scenario.setup import Setup
from kernel.policy.promises import promises


class Result(msgspec.Struct):
    """A search, and what came of it."""

    name: str
    setup: Setup
    search: SearchResult
    wall_s: float
    #: deliveries of earlier sessions of the same search
    before: int = 0
    #: of each that was found, once it is kept
    traces: list[Path] = []

    @property
    def promised(self) -> list[str]:
        """List what was judged as promised."""
        return sorted(promises(self.setup.settings.policy) | self.setup.also_promised)


def keep(result: Result, folder: Path) -> None:
    """Write a trace for each promise that was broken, the first as `run.trace`, and the result.

    Raises:
        InputError: they cannot be written.
    """
    for place, finding in enumerate(result.search.found):
        path = folder / (TRACE if place == 0 else f"{finding.property}.trace")
        write_witness(path, result.setup, finding.path, VIOLATED + finding.property)
        result.traces.append(path)
    write_atomically(folder / EXPLORED, encode(result))
    point_latest(folder)


def encode(result: Result) -> bytes:
    """Return it as JSON: what `--json` prints and `explored.json` holds."""
    fields = msgspec.structs.asdict(result.search)
    fields["found"] = [
        {
            "property": finding.property,
            "text": finding.text,
            "operations": finding.operations,
            "deliveries": len(finding.path),
            "trace": str(trace),
        }
        for finding, trace in zip(result.search.found, result.traces, strict=True)
    ]
    fields |= {
        "scenario": result.name,
        "preset": result.setup.preset,
        "grain": result.setup.scenario.machine.grain,
        "promises": result.promised,
        "wall_s": round(result.wall_s, 3),
    }
    return json_text(fields) + b"\n"


def show_result(result: Result, *, as_json: bool) -> None:
    """Print what was found, and what that shows."""
    if as_json:
        click.echo(encode(result), nl=False)
    else:
        _print(result)


def how_far(name: str, search: SearchResult, rate: float) -> str:
    """Say how far a search is; `rate` in deliveries a second."""
    text = f"{name}: {_counted(search)}, {rate:,.0f} deliveries/s"
    if search.frontier:
        text += f", {search.frontier:,} states to go on from"
    if search.done > 0:
        text += f", about {search.orders / search.done:,.0f} in all"
    return text


def _counted(search: SearchResult) -> str:
    by_states = search.strategy.counts == "states"
    count, what = (search.states, "state") if by_states else (search.orders, "order")
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _print(result: Result) -> None:
    out, search = console(), result.search
    grain = result.setup.scenario.machine.grain
    title = f"{result.name}: {result.setup.preset}, {grain} grain, {search.strategy}"
    out.print(Text(title, style="bold"))
    rate = (search.deliveries - result.before) / max(result.wall_s, 1e-9)
    more = f", {search.blocked:,} blocked" if search.strategy is Strategy.DPOR else ""
    if search.given_up:
        more += f", {search.given_up:,} given up since they did not end"
    out.print(
        f"{_counted(search)}{more}, {search.deliveries:,} deliveries in {result.wall_s:.1f} s "
        f"({rate:,.0f}/s), longest {search.longest:,}"
    )
    for finding, trace in zip(search.found, result.traces, strict=True):
        out.print(Text(f"violated: {finding.property}: {finding.text}", style="bold red"))
        out.print(f"  after {len(finding.path):,} deliveries: {trace}")
        for operation in finding.operations:
            out.print(f"  {operation}")
    if search.verdict is Verdict.HELD:
        text = f"held: complete; every order keeps {' '.join(result.promised)}"
        out.print(Text(text, style="green"))
    elif search.verdict is Verdict.UNPROVED:
        text = "undecided: nothing was found, and nothing is left to be searched; that is no proof"
        if search.strategy is Strategy.DELAY and not search.given_up:
            text = "held within the bound; orders beyond it may break a promise"
        out.print(Text(text, style="yellow"))
    elif search.verdict is Verdict.EXHAUSTED:
        text = "undecided: the budget was spent or the search stopped; nothing was found so far"
        out.print(Text(text, style="yellow"))
    out.print(f"bound: {search.bound}")
    out.print(f"network: {search.network}")
    out.print(f"reduction: {search.dependency}")
