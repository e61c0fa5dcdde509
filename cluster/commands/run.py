"""`holezero run`: a scenario, a recorded workload or a kept run, once or under several presets."""

import click

from cluster.commands.given.run_options import run_options


@click.command("run", short_help="Run a scenario or a recorded workload, and judge it.")
@run_options
@click.pass_context
def run_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario, a recorded workload or a kept run's manifest, and judge it.

    SCENARIO is a file (.toml, .hzw, manifest.json), a run's folder, or the name of a shipped
    scenario or workload (`holezero scenarios`). The run is kept under runs/, `runs/latest` points
    to the last one.

    \b
    holezero run sqlite-snmalloc
    holezero run sqlite-snmalloc --preset flag-only --set machine.cores=8
    holezero run my.toml --set zeroing=inline --trace full --out /tmp/a-run
    holezero run runs/latest                      the same again
    holezero run my.toml --engine ray             with real concurrency

    Exit codes: 0 held (or unchecked), 1 a promise was broken, 2 bad input, 4 a worker died,
    70 an error of the program, 130 interrupted.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.actions.runs import choices_of, run_presets
    from cluster.commands.given.target import find

    choices = choices_of(given)
    presets = tuple(dict.fromkeys(choices.presets)) or (None,)
    context.exit(run_presets(find(scenario), choices, presets, typed=context.obj))
