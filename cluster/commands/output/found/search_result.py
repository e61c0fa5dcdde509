"""What came of a search: kept in a folder, printed or as JSON."""

from pathlib import Path

import click
import msgspec
from rich.text import Text

from cluster.commands.output.console import console
from cluster.explore.choices import Strategy
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.explore.search import Explored, Verdict
from cluster.results.json_text import json_text
from cluster.runs.run_directory import EXPLORED, TRACE, point_latest, write_atomically
from cluster.scenario.setup import Setup
from kernel.policy.promises import promises


class Result(msgspec.Struct):
    """A search, and what came of it."""

    name: str
    setup: Setup
    explored: Explored
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
    for place, finding in enumerate(result.explored.found):
        path = folder / (TRACE if place == 0 else f"{finding.property}.trace")
        write_witness(path, result.setup, finding.path, VIOLATED + finding.property)
        result.traces.append(path)
    write_atomically(folder / EXPLORED, encode(result))
    point_latest(folder)


def encode(result: Result) -> bytes:
    """Return it as JSON: what `--json` prints and `explored.json` holds."""
    fields = msgspec.structs.asdict(result.explored)
    fields["found"] = [
        {
            "property": finding.property,
            "text": finding.text,
            "operations": finding.operations,
            "deliveries": len(finding.path),
            "trace": str(trace),
        }
        for finding, trace in zip(result.explored.found, result.traces, strict=True)
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


def how_far(name: str, explored: Explored, rate: float) -> str:
    """Say how far a search is; `rate` in deliveries a second."""
    text = f"{name}: {_counted(explored)}, {rate:,.0f} deliveries/s"
    if explored.frontier:
        text += f", {explored.frontier:,} states to go on from"
    if explored.done > 0:
        text += f", about {explored.orders / explored.done:,.0f} in all"
    return text


def _counted(explored: Explored) -> str:
    by_states = explored.strategy.counts == "states"
    count, what = (explored.states, "state") if by_states else (explored.orders, "order")
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _print(result: Result) -> None:
    out, explored = console(), result.explored
    grain = result.setup.scenario.machine.grain
    title = f"{result.name}: {result.setup.preset}, {grain} grain, {explored.strategy}"
    out.print(Text(title, style="bold"))
    rate = (explored.deliveries - result.before) / max(result.wall_s, 1e-9)
    more = f", {explored.blocked:,} blocked" if explored.strategy is Strategy.DPOR else ""
    if explored.given_up:
        more += f", {explored.given_up:,} given up since they did not end"
    out.print(
        f"{_counted(explored)}{more}, {explored.deliveries:,} deliveries in {result.wall_s:.1f} s "
        f"({rate:,.0f}/s), longest {explored.longest:,}"
    )
    for finding, trace in zip(explored.found, result.traces, strict=True):
        out.print(Text(f"violated: {finding.property}: {finding.text}", style="bold red"))
        out.print(f"  after {len(finding.path):,} deliveries: {trace}")
        for operation in finding.operations:
            out.print(f"  {operation}")
    if explored.verdict is Verdict.HELD:
        text = f"held: complete; every order keeps {' '.join(result.promised)}"
        out.print(Text(text, style="green"))
    elif explored.verdict is Verdict.UNPROVED:
        text = "undecided: nothing was found, and nothing is left to be searched; that is no proof"
        if explored.strategy is Strategy.DELAY and not explored.given_up:
            text = "held within the bound; orders beyond it may break a promise"
        out.print(Text(text, style="yellow"))
    elif explored.verdict is Verdict.EXHAUSTED:
        text = "undecided: the budget was spent or the search stopped; nothing was found so far"
        out.print(Text(text, style="yellow"))
    out.print(f"bound: {explored.bound}")
    out.print(f"network: {explored.network}")
    out.print(f"reduction: {explored.dependency}")
