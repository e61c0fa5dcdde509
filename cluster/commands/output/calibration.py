"""What simulated machines cost beside what real ones did, experiment by experiment."""

from collections.abc import Sequence

from rich.text import Text

from cluster.calibration.experiments import Finding
from cluster.commands.output.console import console, plain_table

NOTHING_SPEAKS = (
    "nothing that was published speaks for this profile: if its machine is like one of a shipped "
    'profile, say so in it, as in like = "x86-ipi"'
)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a table for each profile."""
    out = console()
    headings = ("experiment", "what", "expected", "measured", "tolerance", "verdict", "source")
    for name in dict.fromkeys(one.profile for one in findings):
        out.print(Text(name, style="bold"))
        table = plain_table(out, *headings)
        for one in findings:
            if one.profile == name:
                low, high = one.expected
                expected = f"{low:,g}" if low == high else f"{low:,g} to {high:,g}"
                table.add_row(
                    one.experiment,
                    one.about,
                    f"{expected} {one.unit}",
                    "-" if one.measured is None else f"{one.measured:,g} {one.unit}",
                    f"{one.tolerance_percent} %",
                    _verdict(one),
                    one.source,
                )
        out.print(table)


def _verdict(one: Finding) -> Text:
    if one.within is None:
        return Text(f"not run: {one.not_run}", style="dim")
    return Text("within", style="green") if one.within else Text("NOT WITHIN", style="bold red")
