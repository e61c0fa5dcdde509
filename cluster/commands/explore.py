"""`holezero explore`: run a scenario in every order of its messages, or in many."""

import gc
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from cluster.commands.output.progress import Pace, spinner
from cluster.commands.output.search_result import Result, how_far, keep, show_result
from cluster.commands.target import find
from cluster.explore.checkpoint import Keeper
from cluster.explore.choices import Chosen, Strategy
from cluster.explore.footprint import Dependency
from cluster.explore.search import Explored, Verdict, Watch, explore
from cluster.explore.strategies.dpor import Reduction
from cluster.explore.strategies.stateful import MADE_UNTIL_COLLECTED
from cluster.explore.workers.shares import check_shareable
from cluster.input_error import InputError
from cluster.runs.interruption import interruptible
from cluster.runs.run_directory import make_run_directory
from cluster.scenario.setup import Setup
from kernel.policy.promises import Property

#: exit code of a search that found nothing and did not see everything
UNDECIDED = 5
_BUDGET = re.compile(r"(\d+)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
#: a checkpoint of a million states takes a second
_KEPT_EVERY_S = 30.0


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


@click.command("explore", short_help="Run a scenario in every order of its messages, or in many.")
@click.argument("scenario")
@click.option(
    "--strategy",
    type=click.Choice([s.value for s in Strategy]),
    default="dpor",
    show_default=True,
    help="bfs, dfs: every state once. dpor: one order of each class that no machine can tell "
    "apart. random: orders drawn uniformly. pct: drawn such that a bug of a given depth is likely. "
    "delay: oldest message first, with few exceptions.",
)
@click.option(
    "--budget",
    default="60s",
    show_default=True,
    metavar="N|TIME",
    help="Stop after N states (bfs, dfs) or orders, or after a time: 500ms, 30s, 10m, 2h.",
)
@click.option("--preset", metavar="NAME", help="Policy, in place of the scenario's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As for `run`.")
@click.option(
    "--grain",
    type=click.Choice(["fine", "fused"]),
    default="fine",
    show_default=True,
    help="fine: kernel code takes one step a page table entry; fused: as few as it can.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of random and pct.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="pct: how many messages have to come in a certain order.",
)
@click.option(
    "--delays",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="delay: how many messages are put off at most.",
)
@click.option(
    "--reduction",
    type=click.Choice([r.value for r in Reduction]),
    default="optimal",
    show_default=True,
    help="dpor: wakeup trees (optimal), source sets with sleep sets, or every single order.",
)
@click.option(
    "--dependency",
    type=click.Choice([d.value for d in Dependency]),
    default="receiver",
    show_default=True,
    help="dpor: whether all deliveries to one machine depend on one another, or only those that "
    "touch the same frame or page: fewer orders, but no proof.",
)
@click.option(
    "--symmetry",
    is_flag=True,
    help="bfs, dfs: states that differ only in which of several identical cores did what count "
    "once. Fewer states, no less time.",
)
@click.option(
    "--promise",
    "also_promised",
    multiple=True,
    type=click.Choice([p.value for p in Property]),
    help="Judge as if the policy promised that too: is there an order that breaks it?",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the search there, twice a minute and at its end; go on with what is there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Share the search among so many processes, on Ray: same counts, and from bfs, random, pct "
    "and delay also the same paths.",
)
@click.option("--all", is_flag=True, help="Go on after the first broken promise.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to keep what came of it; by default a new folder under runs/ if anything is found.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def explore_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario in every order in which its messages may arrive, or in many of them.

    SCENARIO is what `holezero run` takes; a small one: two cores and a few calls have thousands of
    orders, and every call more multiplies them. Simulated time plays no part: timers come early or
    late (with --set machine.tlb_life_ns=1 entries leave a TLB by timers, too). An order that breaks
    a promise is kept as a trace that replays.

    \b
    holezero explore hazard-free-before-acks
    holezero explore one-page --strategy bfs --preset flag-only
    holezero explore my.toml --strategy pct --depth 4 --budget 10m
    holezero explore my.toml --strategy bfs --budget 8h --checkpoint my.search
    holezero replay runs/latest

    Exit codes: 0 every order keeps all promises, 1 one does not, 2 bad input, 5 nothing was found,
    which proves nothing: the budget was spent, or the strategy does not run every order (random,
    pct, delay), 130 interrupted: what was found until then is kept.
    """  # noqa: D301 - click's mark for lines that stay as they are
    options = msgspec.convert(given, Options)
    count, seconds = budget_of(options.budget)
    target = find(scenario)
    settings = [f"machine.grain={options.grain}", *options.settings]
    setup = target.setup(settings, options.preset, None)
    setup = msgspec.structs.replace(setup, also_promised=frozenset(options.also_promised))
    chosen = _chosen(options, count)
    # a folder that can not be had is told before hours are spent
    folder = None
    if options.out is not None:
        folder = make_run_directory(target.name, setup.preset, options.out)
    started_s = time.monotonic()
    with search_progress(target.name, quiet=options.quiet) as show:
        keeper = _keeper(options, setup, chosen)
        before = keeper.found.deliveries if keeper is not None and keeper.found is not None else 0
        watch = until(started_s, seconds, show)
        explored, signal = _search(setup, chosen, options.workers, watch, keeper)
    result = Result(target.name, setup, explored, time.monotonic() - started_s, before)
    if folder is None and explored.found:
        folder = make_run_directory(f"{target.name}-explored", setup.preset, None)
    if folder is not None:
        keep(result, folder)
    show_result(result, as_json=options.as_json)
    code = {Verdict.HELD: 0, Verdict.VIOLATED: 1}.get(explored.verdict, UNDECIDED)
    if keeper is not None and keeper.failed is not None:
        if code == UNDECIDED:
            raise keeper.failed  # what was searched has to be searched again
        click.echo(f"holezero: {keeper.failed}", err=True)
    context.exit(128 + signal if signal else code)


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
) -> tuple[Explored, int]:
    """Search; gives also the signal that stopped it in good order, or 0."""
    if workers > 1:
        from cluster.live.search_crew import explore_on_workers  # noqa: PLC0415 - ray takes seconds

        return explore_on_workers(setup, chosen, workers, watch)
    gc.set_threshold(MADE_UNTIL_COLLECTED)
    with interruptible() as asked:
        explored = explore(setup, chosen, lambda e: watch(e) and not asked.number, keeper)
    return explored, asked.number


def budget_of(text: str) -> tuple[int | None, float]:
    """Give a number of states or orders, and seconds; one of them has no limit."""
    match = _BUDGET.fullmatch(text)
    if match is None or not int(match[1]):
        raise InputError(f"--budget {text}: give a number, or a time such as 500ms, 30s, 10m, 2h")
    if match[2] is None:
        return int(match[1]), float("inf")
    return None, int(match[1]) * _SECONDS[match[2]]


def _every(seconds: float) -> Callable[[], bool]:
    last_s = time.monotonic()

    def due() -> bool:
        nonlocal last_s
        if time.monotonic() - last_s < seconds:
            return False
        last_s = time.monotonic()
        return True

    return due


def until(started_s: float, seconds: float, show: Watch) -> Watch:
    """Make a watch that shows, and stops when the time is over."""

    def watch(explored: Explored) -> bool:
        show(explored)
        return time.monotonic() - started_s < seconds

    return watch


@contextmanager
def search_progress(name: str, *, quiet: bool) -> Iterator[Watch]:
    """Show how far a search is; gives a watch that shows nothing where nobody looks."""
    with spinner(name, quiet=quiet) as show:
        pace = Pace()

        def watch(explored: Explored) -> bool:
            if show is not None and pace.due():
                show(how_far(name, explored, pace.rate(explored.deliveries)))
            return True

        yield watch
