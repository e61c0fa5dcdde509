"""The top of the command line: which commands there are. A command is imported when it is named.

So `--help`, `--version` and the completion of a command's name import nothing of holezero.
"""

from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Place(NamedTuple):
    """Where a command is, and its line in the list of commands."""

    module: str
    name: str
    short_help: str


#: as `holezero --help` lists them
COMMANDS = {
    "calibrate": Place(
        "calibrate", "calibrate_command", "Check cost profiles, or measure this machine."
    ),
    "compare": Place(
        "compare", "compare_command", "Run several policies, side by side in one table."
    ),
    "corpus": Place("corpus", "corpus_command", "Compare with recorded answers of a real kernel."),
    "explore": Place(
        "explore", "explore_command", "Run a scenario in every order of its messages, or in many."
    ),
    "hazards": Place(
        "hazards", "hazards_command", "List the steps that a variant could get wrong, or find them."
    ),
    "hunt": Place(
        "hunt", "hunt_command", "Run a scenario live again and again until a promise breaks."
    ),
    "import": Place(
        "importing", "import_group", "Turn a recording of a real program into a workload (.hzw)."
    ),
    "policies": Place(
        "policies", "policies_command", "List the policies, or explain one, or a key."
    ),
    "profiles": Place("profiles", "profiles_command", "List the cost profiles, or explain one."),
    "replay": Place("replay", "replay_command", "Make a recorded run again and compare it."),
    "run": Place("run", "run_command", "Run a scenario or a recorded workload, and judge it."),
    "scenarios": Place(
        "scenarios", "scenarios_command", "List what ships: scenarios, recorded workloads."
    ),
    "shrink": Place(
        "shrink", "shrink_command", "Make what broke a promise small, and tell it as a story."
    ),
    "trace": Place("trace", "trace_group", "Read traces."),
}


class PipeClosedError(Exception):
    """Standard output was closed by whoever read it."""


class _Commands(click.Group):
    """The commands; click would end with 1, which means a broken promise, when a pipe closes."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:  # noqa: ANN401 - click's own
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            raise PipeClosedError from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise PipeClosedError from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        command: click.Command = getattr(
            import_module(f"cluster.commands.{place.module}"), place.name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.short_help) for name, one in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=one.short_help)
            for name, one in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _print_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:  # noqa: FBT001
    if not asked or context.resilient_parsing:
        return
    from cluster.hosts.model import release

    click.echo(f"holezero, version {release()}")
    context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def command_line() -> None:
    """Run the MADV_FREE_HOLE and MADV_FREE_ZERO protocol of CheriBSD issue 1318, simulated.

    Every core, address space, memory, page daemon and zeroing thread is a machine of its own that
    sees the others only through messages. A run says what a variant of the protocol costs on a
    workload, and whether its promises held.

    \b
    holezero compare main-job             a recorded sqlite, four variants side by side
    holezero run sqlite-snmalloc          one variant, in detail
    holezero policies fatal-hole          what a variant does and promises
    holezero replay runs/latest/run.trace the same run again, message by message
    holezero import faults F -o my.hzw    your own program

    Exit codes: 0 all is well, 1 a promise was broken, 2 bad input, 3 a replay differs, 4 a worker
    died, 5 a search is no proof, 70 an error of holezero itself, 130 interrupted.
    """  # noqa: D301 - click's mark for lines that stay as they are
