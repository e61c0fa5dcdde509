"""`holezero hazards`: the steps that a variant could get wrong, and whether each is found."""

from difflib import get_close_matches
from pathlib import Path

import click

from cluster.commands.given import names as known_names
from cluster.input_error import InputError


@click.command("hazards", short_help="List the steps that a variant could get wrong, or find them.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=known_names.hazards)
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
        from cluster.commands.output.hazards import list_sources

        list_sources(names, as_json=as_json)
        return
    if not check:
        from cluster.commands.output.hazards import list_hazards

        list_hazards(chosen, as_json=as_json)
        return
    from cluster.commands.actions.hazard_check import check_catalogue

    code = check_catalogue(chosen, budget, save, presets=not names, as_json=as_json, quiet=quiet)
    context.exit(code)


def _chosen(names: tuple[str, ...]) -> list[str]:
    from kernel.hazards.catalogue import BY_NAME, CATALOGUE

    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, 1)
            hint = f"did you mean {close[0]}?" if close else "`holezero hazards` lists them"
            raise InputError(f"no hazard {name!r}; {hint}")
    return list(names) or [info.name for info in CATALOGUE.values()]
