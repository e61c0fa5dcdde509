"""`holezero hazards`: the steps that a variant could get wrong, and whether each is found."""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from pathlib import Path

import click
from rich.text import Text

from cluster.commands.explore import UNDECIDED, budget_of, search_progress, until
from cluster.commands.output.tables import console, plain_table
from cluster.explore.catalogue_check import (
    Budget,
    HazardCheck,
    PresetCheck,
    Tried,
    check_hazards,
    check_presets,
)
from cluster.explore.search import Watch
from cluster.input_error import InputError
from cluster.results.json_text import json_text
from kernel.hazards.real_bugs import TABLE
from kernel.hazards.switches import BY_NAME, CATALOGUE


@click.command("hazards", short_help="List the steps that a variant could get wrong, or find them.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Look for each by every strategy, and try the presets.")
@click.option(
    "--budget",
    default="10s",
    show_default=True,
    metavar="TIME",
    help="--check: time for each strategy, grain and hazard; a preset gets six times as much.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="--check: shrink what is found and keep NAME.trace of each there.",
)
@click.option(
    "--sources",
    is_flag=True,
    help="List what is known to go wrong elsewhere, and where it is here; of NAMEs what they show.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the list, or what came out, as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def hazards_command(  # noqa: PLR0913 - one for each option
    context: click.Context,
    names: tuple[str, ...],
    *,
    check: bool,
    budget: str,
    save: Path | None,
    sources: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """List the hazards: steps that a variant could leave out or reorder.

    Turn one on with `--set run.hazards=free-before-acks`: its property should turn red; some need
    an order that no timed run has: `holezero explore hazard-NAME`. --check looks for each in its
    scenario `hazard-NAME`, by every strategy, and runs `one-page` under every preset in every
    order. --sources lists bugs of real kernels by number, and what shows each, if anything does.

    \b
    holezero hazards
    holezero hazards lost-ack
    holezero hazards --sources
    holezero hazards --check
    holezero hazards --check no-restart-after-busy --budget 1m --save .

    Exit codes: 0 every hazard is found (and the same order breaks nothing without it) and every
    preset keeps its promises in every order, 1 otherwise, 2 bad input, 5 a preset has more orders
    than the budget allowed.
    """  # noqa: D301 - click's mark for lines that stay as they are
    chosen = _chosen(names)
    if sources:
        if check:
            raise InputError("--sources lists, --check looks for hazards: give one of them")
        _list_sources(names, as_json=as_json)
        return
    if not check:
        _list(chosen, as_json=as_json)
        return
    count, seconds = budget_of(budget)
    if count is not None:
        raise InputError(
            f"--budget {budget}: give a time, such as 5s: strategies count differently"
        )
    hazards, presets = _check(chosen, seconds, save, quiet=quiet, presets=not names)
    if as_json:
        whole = {"hazards": hazards, "presets": presets}
        click.echo(json_text(whole))
    else:
        _print(hazards, presets)
    context.exit(_code(hazards, presets))


def _chosen(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, 1)
            hint = f"did you mean {close[0]}?" if close else "`holezero hazards` lists them"
            raise InputError(f"no hazard {name!r}; {hint}")
    return list(names) or [info.name for info in CATALOGUE.values()]


def _list(names: Iterable[str], *, as_json: bool) -> None:
    infos = [CATALOGUE[BY_NAME[name]] for name in names]
    if as_json:
        click.echo(json_text(infos))
        return
    out = console()
    table = plain_table(out, "hazard", "mechanism", "breaks", "needs", "resembles")
    for info in infos:
        breaks = " ".join(info.breaks)
        table.add_row(info.name, info.mechanism, breaks, info.boundary, info.resembles)
    out.print(table)


def _list_sources(names: Sequence[str], *, as_json: bool) -> None:
    """List the rows of the table of sources: those that a hazard among `names` shows, or all."""
    rows = [row for row in TABLE if not names or set(names).intersection(row.shown_by)]
    if as_json:
        click.echo(json_text(rows))
        return
    if not rows:
        click.echo(f"no number is shown by {', '.join(names)}; `holezero hazards` says more")
        return
    out = console()
    table = plain_table(out, "number", "what", "here", "shown by", "note")
    for row in rows:
        seen_in = f"(seen in {row.seen_in})" if row.seen_in else ""
        shown_by = " ".join(filter(None, (*row.shown_by, seen_in)))
        table.add_row(row.name, row.what, row.kind, shown_by, row.note)
    out.print(table)


class _Clock:
    """Makes watches that stop after a time, and shows them."""

    def __init__(self, seconds: float, *, quiet: bool) -> None:
        self._seconds = seconds
        self._quiet = quiet
        self._shown = ExitStack()
        self._started_s = 0.0

    def watch(self, name: str) -> Watch:
        self._shown.close()
        self._started_s = time.monotonic()
        show = self._shown.enter_context(search_progress(name, quiet=self._quiet))
        return until(self._started_s, self._seconds, show)

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def close(self) -> None:
        self._shown.close()

    def budget(self) -> Budget:
        return Budget(self.watch, self.elapsed_s)


def _check(
    names: Sequence[str], seconds: float, save: Path | None, *, quiet: bool, presets: bool
) -> tuple[list[HazardCheck], list[PresetCheck]]:
    clock, longer = _Clock(seconds, quiet=quiet), _Clock(6 * seconds, quiet=quiet)
    try:
        hazards = list(check_hazards(names, clock.budget(), save))
        clock.close()
        return hazards, list(check_presets(longer.budget())) if presets else []
    finally:
        clock.close()
        longer.close()


def _code(hazards: Sequence[HazardCheck], presets: Sequence[PresetCheck]) -> int:
    if not all(h.found and h.twin_held for h in hazards) or any(p.violations for p in presets):
        return 1
    return 0 if all(p.complete for p in presets) else UNDECIDED


def _print(hazards: Sequence[HazardCheck], presets: Sequence[PresetCheck]) -> None:
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
