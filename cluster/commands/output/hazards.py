"""The catalogue of hazards, and the bugs of real kernels that they resemble."""

from collections.abc import Iterable, Sequence

import click

from cluster.commands.output.console import console, plain_table
from cluster.results.json_text import json_text
from kernel.hazards.catalogue import BY_NAME, CATALOGUE
from kernel.hazards.real_bugs import TABLE


def list_hazards(names: Iterable[str], *, as_json: bool) -> None:
    """List hazards: what each does, what it breaks, what it resembles."""
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


def list_sources(names: Sequence[str], *, as_json: bool) -> None:
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
