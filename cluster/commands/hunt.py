"""`holezero hunt`: run a scenario live again and again, until a promise breaks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from cluster.commands.output.hunt_result import Result, encode, found_text, show_result
from cluster.commands.output.progress import spinner
from cluster.commands.output.shrunk import make_small, small_name
from cluster.commands.target import find
from cluster.explore.found.shrink import ShrinkError
from cluster.live.hunt import RUNS_MAX, Hunted, Plan, hunt_on_ray
from cluster.live.outcome import LiveError
from cluster.runs.run_directory import HUNT, make_run_directory, point_latest, write_atomically

#: changes the text of the progress
Show = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command, as click gives them."""

    engine: str
    runs: int
    jitter: bool
    seed: int
    all: bool
    preset: str | None
    settings: tuple[str, ...]
    limit_ops: int | None
    no_shrink: bool
    out: Path | None
    as_json: bool
    quiet: bool


@click.command("hunt", short_help="Run a scenario live again and again until a promise breaks.")
@click.argument("scenario")
@click.option(
    "--engine",
    type=click.Choice(["ray"]),
    default="ray",
    show_default=True,
    help="ray: every machine is a Ray actor process of its own.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, RUNS_MAX),
    default=100,
    show_default=True,
    help="Give up after so many runs.",
)
@click.option(
    "--jitter",
    is_flag=True,
    help="Every actor also draws which message to take next, by another seed in each run.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of --jitter.")
@click.option("--all", is_flag=True, help="Make all runs, and count those that break a promise.")
@click.option("--preset", metavar="NAME", help="Policy, in place of the scenario's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As for `run`.")
@click.option(
    "--limit-ops",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop each run after about N deliveries of messages.",
)
@click.option("--no-shrink", is_flag=True, help="Keep what is found as it is.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the hunt, instead of a new one under runs/.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def hunt_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario on Ray actors again and again, until a run breaks a promise.

    The first trace that does is kept as run.trace, made small (run.small.trace) and told as a
    story, as by `holezero shrink`. The actors stay for the whole hunt, so a run of a small scenario
    takes a fraction of a second. Without --jitter the order is what really happens.

    \b
    holezero hunt hazard-free-before-acks
    holezero hunt hazard-zeroer-before-flush --runs 200 --jitter --all --json

    Exit codes: 0 nothing was found (which proves nothing), 1 a promise was broken, 2 bad input,
    4 a worker died, 130 interrupted; what was found until then is kept.
    """  # noqa: D301 - click's mark for lines that stay as they are
    options = msgspec.convert(given, Options)
    target = find(scenario)
    setup = target.setup(list(options.settings), options.preset, None)
    plan = Plan(
        runs=options.runs,
        jitter=options.jitter,
        seed=options.seed,
        all=options.all,
        limit=options.limit_ops,
    )
    hunted = Hunted()
    result = Result(
        name=target.name,
        setup=setup,
        plan=plan,
        folder=make_run_directory(f"{target.name}-hunted", setup.preset, options.out),
        hunted=hunted,
    )
    try:
        _hunt(result, shrinks=not options.no_shrink, quiet=options.quiet)
    finally:
        # also what was found before a worker died, or before somebody would not wait any more
        write_atomically(result.folder / HUNT, encode(result))
        point_latest(result.folder)
        if hunted.runs or hunted.signal:
            show_result(result, as_json=options.as_json)
    context.exit(128 + hunted.signal if hunted.signal else int(bool(hunted.found)))


def _hunt(result: Result, *, shrinks: bool, quiet: bool) -> None:
    """Hunt, then shrink the first trace, unless somebody wants an end."""
    hunted, plan = result.hunted, result.plan
    with _showing(f"starts {len(result.setup.wiring.names)} actors", quiet=quiet) as show:

        def watch(hunted: Hunted, deliveries: int) -> None:
            show(
                f"run {hunted.runs + 1:,} of {plan.runs:,}, {found_text(hunted)}, "
                f"{hunted.deliveries + deliveries:,} deliveries"
            )

        try:
            hunt_on_ray(result.setup, plan, result.folder, hunted=hunted, watch=watch)
        except LiveError as e:
            result.error = str(e)
            raise
    if not hunted.found or not shrinks:
        return
    trace = Path(hunted.found[0].trace)
    result.not_shrunk = f"interrupted; `holezero shrink {trace}` does it"
    if hunted.signal:
        return
    write_atomically(result.folder / HUNT, encode(result))  # shrinking may take minutes
    with _showing("shrinks what was found", quiet=quiet) as show:
        _shrink(result, trace, show)


def _shrink(result: Result, trace: Path, show: Show) -> None:
    file = result.setup.scenario.workload.file
    try:
        result.small = make_small(
            trace, small_name(trace), workload=Path(file) if file else None, show=show
        )
    except ShrinkError as e:
        result.not_shrunk = str(e)
    else:
        result.not_shrunk = ""


@contextmanager
def _showing(text: str, *, quiet: bool) -> Iterator[Show]:
    with spinner(text, quiet=quiet) as show:
        yield show or (lambda _: None)
