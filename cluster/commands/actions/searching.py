"""A search as `holezero explore` makes it: shown while it goes on, kept, and stopped in time."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

from cluster.commands import exit_codes
from cluster.commands.actions.search_watch import search_progress, until
from cluster.commands.given.budget import budget_of
from cluster.commands.given.target import find
from cluster.commands.output.found.search_result import Result, keep, show_result
from cluster.explore.checkpoint import Keeper
from cluster.explore.choices import Chosen, Dependency, Strategy
from cluster.explore.search import SearchResult, Verdict, Watch, explore
from cluster.explore.strategies.dpor import Reduction
from cluster.explore.workers.shares import check_shareable
from cluster.hosts.garbage import collect_seldom
from cluster.input_error import InputError
from cluster.runs.interruption import interruptible
from cluster.runs.run_directory import make_run_directory
from cluster.scenario.setup import Setup
from kernel.policy.promises import Property

#: a checkpoint of a million states takes a second
_KEPT_EVERY_S = 30.0
_CODES = {Verdict.HELD: 0, Verdict.VIOLATED: exit_codes.VIOLATED}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command, as click gives them."""

    strategy: Strategy
    budget: str
    preset: str | None
    settings: tuple[str, ...]
    grain: str
    seed: int
    depth: int
    delays: int
    reduction: Reduction
    dependency: Dependency
    symmetry: bool
    also_promised: tuple[Property, ...]
    all: bool
    checkpoint: Path | None
    workers: int
    out: Path | None
    as_json: bool
    quiet: bool


def search_orders(scenario: str, given: Mapping[str, object]) -> int:
    """Search, keep and print what was found, and return the exit code."""
    options = msgspec.convert(given, Options)
    count, seconds = budget_of(options.budget)
    target = find(scenario)
    settings = [f"machine.grain={options.grain}", *options.settings]
    setup = target.setup(settings, options.preset, None)
    setup = msgspec.structs.replace(setup, also_promised=frozenset(options.also_promised))
    chosen = _chosen(options, count)
    # a folder that cannot be had is told before hours are spent
    folder = None
    if options.out is not None:
        folder = make_run_directory(target.name, setup.preset, options.out)
    started_s = time.monotonic()
    with search_progress(target.name, quiet=options.quiet) as show:
        keeper = _keeper(options, setup, chosen)
        before = keeper.found.deliveries if keeper is not None and keeper.found is not None else 0
        watch = until(started_s, seconds, show)
        search, signal = _search(setup, chosen, options.workers, watch, keeper)
    result = Result(target.name, setup, search, time.monotonic() - started_s, before)
    if folder is None and search.found:
        folder = make_run_directory(f"{target.name}-explored", setup.preset, None)
    if folder is not None:
        keep(result, folder)
    show_result(result, as_json=options.as_json)
    code = _CODES.get(search.verdict, exit_codes.UNDECIDED)
    if keeper is not None and keeper.failed is not None:
        if code == exit_codes.UNDECIDED:
            raise keeper.failed  # what was searched has to be searched again
        click.echo(f"holezero: {keeper.failed}", err=True)
    return exit_codes.of_signal(signal) if signal else code


def _chosen(options: Options, budget: int | None) -> Chosen:
    if options.symmetry and options.strategy.counts != "states":
        raise InputError(f"--symmetry: {options.strategy} knows no states; bfs and dfs do")
    return Chosen(
        strategy=options.strategy,
        budget=budget,
        reduction=options.reduction,
        dependency=options.dependency,
        depth=options.depth,
        delays=options.delays,
        symmetry=options.symmetry,
        seed=options.seed,
        all=options.all,
    )


def _keeper(options: Options, setup: Setup, chosen: Chosen) -> Keeper | None:
    if options.workers > 1:
        check_shareable(chosen, kept=options.checkpoint is not None)
    if options.checkpoint is None:
        return None
    return Keeper(options.checkpoint, setup, chosen, _every(_KEPT_EVERY_S))


def _search(
    setup: Setup, chosen: Chosen, workers: int, watch: Watch, keeper: Keeper | None
) -> tuple[SearchResult, int]:
    """Search; return also the signal that stopped it in good order, or 0."""
    if workers > 1:
        from cluster.live.search_crew import explore_on_workers

        return explore_on_workers(setup, chosen, workers, watch)
    collect_seldom()
    with interruptible() as asked:
        search = explore(setup, chosen, lambda e: watch(e) and not asked.number, keeper)
    return search, asked.number


def _every(seconds: float) -> Callable[[], bool]:
    last_s = time.monotonic()

    def due() -> bool:
        nonlocal last_s
        if time.monotonic() - last_s < seconds:
            return False
        last_s = time.monotonic()
        return True

    return due
