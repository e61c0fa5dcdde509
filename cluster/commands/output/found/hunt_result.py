"""What came of a hunt, printed or as JSON."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from cluster.commands.output.console import console
from cluster.commands.output.found.shrunk import print_small, small_fields
from cluster.explore.found.small import Small
from cluster.live.hunt import Find, Hunted
from cluster.live.hunt_plan import Plan
from cluster.results.json_text import json_text
from cluster.scenario.setup import Setup


class Result(msgspec.Struct, kw_only=True):
    """A hunt, and what came of it."""

    name: str
    setup: Setup
    plan: Plan
    folder: Path
    hunted: Hunted
    small: Small | None = None
    not_shrunk: str = ""
    error: str = ""


def found_text(hunted: Hunted) -> str:
    """Say which promises were broken so far, in how many runs."""
    text = ", ".join(f"{name} in {count}" for name, count in hunted.properties.items())
    return f"found {text}" if text else "nothing found yet"


def encode(result: Result) -> bytes:
    """Return the result as JSON: what `--json` prints and `hunt.json` holds."""
    hunted, plan, small = result.hunted, result.plan, result.small
    fields = {
        "scenario": result.name,
        "preset": result.setup.preset,
        "grain": result.setup.scenario.machine.grain,
        "hazards": result.setup.scenario.run.hazards,
        "jitter": plan.jitter,
        "seed": plan.seed,
        "runs": hunted.runs,
        "of": plan.runs,
        "broke": hunted.broke,
        "cut": hunted.cut,
        "properties": hunted.properties,
        "first_at_run": hunted.first_at_run,
        "deliveries": hunted.deliveries,
        "startup_s": round(hunted.startup_s, 3),
        "wall_s": round(hunted.wall_s, 3),
        "traces": hunted.found,
        "shrunk": None if small is None else small_fields(small),
        "not_shrunk": result.not_shrunk,
        "interrupted": bool(hunted.signal),
        "error": result.error,
    }
    return json_text(fields) + b"\n"


def show_result(result: Result, *, as_json: bool) -> None:
    """Print what was found, and the small trace as a story."""
    if as_json:
        click.echo(encode(result), nl=False)
    else:
        _print(result)


def _print(result: Result) -> None:
    out, hunted, plan = console(), result.hunted, result.plan
    grain = result.setup.scenario.machine.grain
    how = f"jitter, seed {plan.seed}" if plan.jitter else "no jitter"
    title = f"{result.name}: {result.setup.preset}, {grain} grain, on Ray, {how}"
    out.print(Text(title, style="bold"))
    rate = 60 * hunted.runs / max(hunted.wall_s, 1e-9)
    out.print(
        f"{hunted.broke:,} of {hunted.runs:,} runs broke a promise, {hunted.deliveries:,} "
        f"deliveries in {hunted.wall_s:.1f} s ({rate:,.0f} runs a minute), after "
        f"{hunted.startup_s:.1f} s to start {len(result.setup.wiring.names)} actors"
    )
    if hunted.cut:
        out.print(f"{hunted.cut:,} runs were cut by --limit-ops: what waits there is not judged")
    for one in hunted.found:
        _print_find(out, hunted, one)
    if not hunted.found and not result.error and not hunted.signal:
        text = "nothing was found, which proves nothing: other orders may break a promise"
        out.print(Text(f"{text} (`holezero explore` looks for them)", style="yellow"))
    if result.not_shrunk:
        out.print(f"not made small: {result.not_shrunk}")
    if result.small is not None:
        print_small(out, result.small)


def _print_find(out: Console, hunted: Hunted, one: Find) -> None:
    out.print(Text(f"violated: {one.property}: {one.text}", style="bold red"))
    jitter = "" if one.jitter is None else f", jitter {one.jitter}"
    out.print(
        f"  in {hunted.properties[one.property]:,} of {hunted.runs:,} runs, first in run "
        f"{one.run:,} ({one.deliveries:,} deliveries{jitter}): {one.trace}"
    )
    for operation in one.operations:
        out.print(f"  {operation}")
