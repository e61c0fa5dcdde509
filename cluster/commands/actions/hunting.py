"""A hunt as `holezero hunt` makes it: shown while it goes on, kept, and its find made small."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cluster.commands import exit_codes
from cluster.commands.given.target import find
from cluster.commands.output.found.hunt_result import Result, encode, found_text, show_result
from cluster.commands.output.found.shrunk import shrinking_text
from cluster.commands.output.progress import spinner
from cluster.explore.found.shrink import ShrinkError, Shrunk
from cluster.explore.found.small import make_small, small_name
from cluster.live.errors import LiveError
from cluster.live.hunt import Hunted, hunt_on_ray
from cluster.live.hunt_plan import Plan
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


def hunt_for(scenario: str, given: Mapping[str, object]) -> int:
    """Hunt, keep and print what was found, and return the exit code."""
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
        # also what was found before a worker died, or before somebody would wait no longer
        write_atomically(result.folder / HUNT, encode(result))
        point_latest(result.folder)
        if hunted.runs or hunted.signal:
            show_result(result, as_json=options.as_json)
    if hunted.signal:
        return exit_codes.of_signal(hunted.signal)
    return exit_codes.VIOLATED if hunted.found else 0


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
    def watch(shrunk: Shrunk, tried: str) -> None:
        show(shrinking_text(shrunk, tried))

    file = result.setup.scenario.workload.file
    workload = Path(file) if file else None
    try:
        result.small = make_small(trace, small_name(trace), workload=workload, watch=watch)
    except ShrinkError as e:
        result.not_shrunk = str(e)
    else:
        result.not_shrunk = ""


@contextmanager
def _showing(text: str, *, quiet: bool) -> Iterator[Show]:
    with spinner(text, quiet=quiet) as show:
        yield show or (lambda _: None)
