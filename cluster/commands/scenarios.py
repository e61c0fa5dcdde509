"""`holezero scenarios`: what there is to run."""

import click


@click.command("scenarios", short_help="List what ships: scenarios, recorded workloads.")
def scenarios_command() -> None:
    """List the scenarios and recorded workloads that ship with holezero.

    `holezero run NAME` runs one.
    """
    from cluster.commands.output.console import console, plain_table
    from cluster.scenario.scenario import load
    from cluster.scenario.shipped import shipped
    from cluster.workload.reader import Workload

    out = console()
    table = plain_table(out, "scenario", "what it is")
    for name, path in shipped("scenarios", ".toml").items():
        table.add_row(name, load(path).about)
    out.print(table)
    table = plain_table(out, "workload", "threads", "instructions", "pages", "recorded from")
    for name, path in shipped("workloads", ".hzw").items():
        guest = Workload.open(path)
        meta = guest.meta
        table.add_row(
            name,
            str(len(guest.threads)),
            f"{guest.instructions:,}",
            f"{meta.pages:,}",
            f"{meta.program or meta.source} ({meta.format})",
        )
    out.print(table)
