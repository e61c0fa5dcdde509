"""`holezero explore`: run a scenario in every order of its messages, or in many."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from cluster.commands.tables import console
from cluster.commands.target import find
from cluster.explore.checkpoint import Keeper
from cluster.explore.choices import Chosen, Strategy
from cluster.explore.dpor import Reduction
from cluster.explore.exploring import Explored, Finding, Verdict, Watch, explore
from cluster.explore.footprint import Dependency
from cluster.explore.shares import check_shareable
from cluster.explore.witness import VIOLATED, write_witness
from cluster.input_error import InputError
from cluster.run_directory import TRACE, make_run_directory, point_latest, write_atomically
from cluster.setup import Setup
from kernel.promises import Property, promises

#: exit code of a search that found nothing and did not see everything
UNDECIDED = 5
EXPLORED_JSON = "explored.json"
_BUDGET = re.compile(r"(\d+)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_UPDATE_EVERY_S = 0.2
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
    help="Where to keep what is found, instead of a new folder under runs/.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def explore_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario in every order in which its messages may arrive, or in many of them.

    SCENARIO is what `holezero run` takes; a small one: two cores and a few calls have thousands of
    orders, and every call more multiplies them. Simulated time plays no part. An order that breaks
    a promise is kept as a trace that replays.

    \b
    holezero explore hazard-free-before-acks
    holezero explore one-page --strategy bfs --preset flag-only
    holezero explore my.toml --strategy pct --depth 4 --budget 10m
    holezero explore my.toml --strategy bfs --budget 8h --checkpoint my.search
    holezero replay runs/latest

    Exit codes: 0 every order keeps all promises, 1 one does not, 2 bad input, 5 nothing was found
    before the budget was spent (for random and pct always: they can not prove anything).
    """  # noqa: D301 - click's mark for lines that stay as they are
    options = msgspec.convert(given, Options)
    count, seconds = budget_of(options.budget)
    target = find(scenario)
    settings = [f"machine.grain={options.grain}", *options.settings]
    setup = target.setup(settings, options.preset, None)
    setup = msgspec.structs.replace(setup, also_promised=frozenset(options.also_promised))
    chosen = Chosen(
        strategy=options.strategy,
        budget=count,
        reduction=options.reduction,
        dependency=options.dependency,
        depth=options.depth,
        delays=options.delays,
        seed=options.seed,
        all=options.all,
    )
    started_s = time.monotonic()
    with search_progress(target.name, quiet=options.quiet) as show:
        explored, signal = _search(setup, chosen, options, until(started_s, seconds, show))
    wall_s = time.monotonic() - started_s
    traces = _keep(target.name, setup, explored, options.out) if explored.found else []
    if options.as_json:
        click.echo(_json(target.name, setup, explored, wall_s, traces), nl=False)
    else:
        _print(target.name, setup, explored, wall_s, traces)
    code = {Verdict.HELD: 0, Verdict.VIOLATED: 1, Verdict.EXHAUSTED: UNDECIDED}
    context.exit(128 + signal if signal else code[explored.verdict])


def _search(setup: Setup, chosen: Chosen, options: Options, watch: Watch) -> tuple[Explored, int]:
    """Search; gives also the signal that stopped it in good order, or 0."""
    if options.workers > 1:
        check_shareable(chosen, kept=options.checkpoint is not None)
        from cluster.live.exploring import explore_on_workers  # noqa: PLC0415 - ray takes seconds

        return explore_on_workers(setup, chosen, options.workers, watch)
    keeper = None
    if options.checkpoint is not None:
        keeper = Keeper(options.checkpoint, setup, chosen, _every(_KEPT_EVERY_S))
    return explore(setup, chosen, watch, keeper), 0


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
    watched = Console(stderr=True)
    if quiet or not watched.is_terminal:
        yield lambda _: True
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=watched, transient=True) as bar:
        task = bar.add_task(name, total=None)
        started_s = shown_s = time.monotonic()

        def show(explored: Explored) -> bool:
            nonlocal shown_s
            now_s = time.monotonic()
            if now_s - shown_s >= _UPDATE_EVERY_S:
                shown_s = now_s
                bar.update(task, description=_how_far(name, explored, now_s - started_s))
            return True

        yield show


def _how_far(name: str, explored: Explored, wall_s: float) -> str:
    text = f"{name}: {_counted(explored)}, {explored.deliveries / wall_s:,.0f} deliveries/s"
    if explored.frontier:
        text += f", {explored.frontier:,} states to go on from"
    if explored.done > 0:
        text += f", about {explored.orders / explored.done:,.0f} in all"
    return text


def _counted(explored: Explored) -> str:
    if explored.strategy.counts == "states":
        return _many(explored.states, "state")
    return _many(explored.orders, "order")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _keep(name: str, setup: Setup, explored: Explored, out: Path | None) -> list[Path]:
    """Write a trace for each promise that was broken; the first is `run.trace`."""
    directory = make_run_directory(f"{name}-explored", setup.preset, out)
    paths = []
    for place, finding in enumerate(explored.found):
        path = directory / (TRACE if place == 0 else f"{finding.property}.trace")
        write_witness(path, setup, finding.path, VIOLATED + finding.property)
        paths.append(path)
    write_atomically(directory / EXPLORED_JSON, _json(name, setup, explored, 0.0, paths))
    point_latest(directory)
    return paths


def _found(finding: Finding, trace: Path | None) -> dict[str, object]:
    return {
        "property": finding.property,
        "text": finding.text,
        "operations": finding.operations,
        "deliveries": len(finding.path),
        "trace": None if trace is None else str(trace),
    }


def _json(name: str, setup: Setup, explored: Explored, wall_s: float, traces: list[Path]) -> bytes:
    fields = msgspec.structs.asdict(explored)
    fields["found"] = [_found(*pair) for pair in zip(explored.found, traces, strict=True)]
    fields |= {
        "scenario": name,
        "preset": setup.preset,
        "grain": setup.scenario.machine.grain,
        "promises": _promised(setup),
        "wall_s": round(wall_s, 3),
    }
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _promised(setup: Setup) -> list[str]:
    return sorted(promises(setup.settings.policy) | setup.also_promised)


def _print(name: str, setup: Setup, explored: Explored, wall_s: float, traces: list[Path]) -> None:
    out = console()
    grain = setup.scenario.machine.grain
    out.print(Text(f"{name}: {setup.preset}, {grain} grain, {explored.strategy}", style="bold"))
    rate = explored.deliveries / max(wall_s, 1e-9)
    more = f", {explored.blocked:,} blocked" if explored.strategy is Strategy.DPOR else ""
    if explored.given_up:
        more += f", {explored.given_up:,} given up after {explored.longest:,} deliveries"
    out.print(
        f"{_counted(explored)}{more}, {explored.deliveries:,} deliveries in {wall_s:.1f} s "
        f"({rate:,.0f}/s), longest {explored.longest:,}"
    )
    for finding, trace in zip(explored.found, traces, strict=True):
        out.print(Text(f"violated: {finding.property}: {finding.text}", style="bold red"))
        out.print(f"  after {len(finding.path):,} deliveries: {trace}")
        for operation in finding.operations:
            out.print(f"  {operation}")
    if explored.verdict is Verdict.HELD:
        kept = " ".join(_promised(setup))
        out.print(Text(f"held: complete; every order keeps {kept}", style="green"))
    elif explored.verdict is Verdict.EXHAUSTED:
        text = "undecided: not complete; nothing was found before the budget was spent"
        out.print(Text(text, style="yellow"))
    out.print(f"bound: {explored.bound}")
    out.print(f"network: {explored.network}")
    out.print(f"reduction: {explored.dependency}")
