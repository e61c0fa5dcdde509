"""`holezero hunt`: run a scenario live again and again, until a promise breaks."""

from pathlib import Path

import click

from cluster.commands.given import names
from cluster.live.hunt_plan import RUNS_MAX


@click.command("hunt", short_help="Run a scenario live again and again until a promise breaks.")
@click.argument("scenario", shell_complete=names.scenarios)
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
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=names.presets,
    help="Policy, in place of the scenario's.",
)
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
    from cluster.commands.actions.hunting import hunt_for

    context.exit(hunt_for(scenario, given))
