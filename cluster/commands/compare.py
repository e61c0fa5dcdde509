"""`holezero compare`: several policies side by side, or a recording beside its simulation."""

from pathlib import Path

import click

from cluster.commands.given.run_options import run_options

#: what is compared unless told otherwise
COMPARED = ("fatal-hole", "flag-only", "madv-free", "dontneed-linux")


@click.command("compare", short_help="Run several policies, side by side in one table.")
@run_options
@click.pass_context
def compare_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario under several presets and print them side by side, or compare a recording.

    SCENARIO may be a recording of page faults (.ft, .ft.gz): the simulated kernel then makes the
    recorded calls, children included, and every recorded fault on anonymous memory is looked for.
    Exits with 1 if fewer than 95 % of them agree, or 80 % of a cause with more than 100.

    Without --preset: fatal-hole, flag-only, madv-free and dontneed-linux. Exits with the worst
    of their exit codes.

    \b
    holezero compare main-job
    holezero compare my.hzw --preset fatal-hole --preset unmap --json
    holezero compare my.ft.gz
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.actions.recording import compare_faults, is_recording
    from cluster.commands.actions.runs import choices_of, run_presets
    from cluster.commands.given.target import find

    choices = choices_of(given)
    path = Path(scenario)
    if is_recording(path):
        seed = choices.seed or 0
        context.exit(compare_faults(path, seed=seed, as_json=choices.as_json, quiet=choices.quiet))
    presets = tuple(dict.fromkeys(choices.presets)) or COMPARED
    context.exit(run_presets(find(scenario), choices, presets, typed=context.obj))
