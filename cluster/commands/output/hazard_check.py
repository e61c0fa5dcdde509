"""What a check of the catalogue found: which strategy finds which hazard, and after how much."""

from collections.abc import Sequence

from rich.text import Text

from cluster.commands.output.console import console, plain_table
from cluster.explore.catalogue_check import HazardCheck, PresetCheck, Tried


def print_check(hazards: Sequence[HazardCheck], presets: Sequence[PresetCheck]) -> None:
    """Print which hazards were found by which strategy, and whether presets held."""
    out = console()
    strategies = [tried.strategy for tried in hazards[0].strategies] if hazards else []
    table = plain_table(out, "hazard", "found", "shortest", *strategies)
    for hazard in hazards:
        found = Text("yes", style="green") if hazard.found else Text("no", style="bold red")
        if hazard.found and not hazard.twin_held:
            found = Text("without it, too", style="bold red")
        length = "-" if hazard.trace_length is None else f"{hazard.trace_length:,}"
        table.add_row(hazard.name, found, length, *map(_cell, hazard.strategies))
    out.print(table)
    out.print("by strategy: orders (dfs, bfs: states) until it was found, and in what time;")
    out.print("in brackets how many were made in vain")
    if not presets:
        return
    headings = ("preset", "states", "depth", "complete", "violations", "time", "with")
    table = plain_table(out, *headings)
    for preset in presets:
        table.add_row(
            preset.name,
            f"{preset.states:,}",
            f"{preset.depth:,}",
            "yes" if preset.complete else "no",
            Text("; ".join(preset.violations) or "none"),
            f"{preset.wall_s:.1f} s",
            " ".join(preset.settings),
        )
    out.print(table)


def _cell(tried: Tried) -> str:
    if tried.found:
        return f"{tried.count:,} ({tried.wall_s:.2f} s)"
    return f"[{tried.count:,}]"
