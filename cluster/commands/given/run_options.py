"""What `holezero run` and `holezero compare` can be told; the same for both."""

from collections.abc import Callable
from pathlib import Path

import click

from cluster.commands.given import names

_Command = Callable[..., None]

_OPTIONS = (
    click.argument("scenario", shell_complete=names.scenarios),
    click.option(
        "--engine",
        type=click.Choice(["inline", "ray"]),
        show_default="inline",
        help="inline: one process, simulated time, reproducible. ray: every machine is a "
        "Ray actor process of its own and the order is what really happens.",
    ),
    click.option(
        "--sync",
        type=click.Choice(["free"]),
        default="free",
        show_default=True,
        help="How Ray actors are kept together: free lets them run.",
    ),
    click.option(
        "--preset",
        "presets",
        multiple=True,
        metavar="NAME",
        shell_complete=names.presets,
        help="Policy to run under (`holezero policies` lists them); replaces the "
        "scenario's [policy] table. Several make a comparison.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a key of the scenario: machine.cores=8, workload.timing=asap; a key "
        "of the policy may stand alone: zeroing=inline.",
    ),
    click.option("--seed", type=click.IntRange(min=0), help="Seed of the run."),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Folder of the run, instead of a new one under runs/; a comparison makes one "
        "in it for each preset.",
    ),
    click.option(
        "--trace",
        type=click.Choice(["full", "order", "off"]),
        show_default="order",
        help="full keeps every message; order what replay needs (inline: checkpoints).",
    ),
    click.option(
        "--check",
        type=click.Choice(["on", "off"]),
        show_default="on",
        help="Judge the run against the protocol's promises; costs time.",
    ),
    click.option(
        "--limit-ops",
        type=click.IntRange(min=1),
        metavar="N",
        help="Stop after N deliveries of messages.",
    ),
    click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Serve Prometheus metrics on 127.0.0.1:PORT while it runs (0: a free port).",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print summary.json instead."),
    click.option("-q", "--quiet", is_flag=True, help="No progress on standard error."),
)


def run_options(command: _Command) -> _Command:
    """Add to a command the argument SCENARIO and all options of a run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
