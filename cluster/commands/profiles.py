"""`holezero profiles`: which cost profiles ship, and where each of their values comes from."""

import re
from pathlib import Path

import click

from cluster.commands.given import names

_TABLE = re.compile(r"\s*\[(\w+)\]")
_ENTRY = re.compile(r"\s*(\w+)\s*=\s*[^#]*(?:#\s*(.*))?")


def sources(path: Path) -> dict[tuple[str, str], str]:
    """Return what a profile's file says beside each value, by table and key."""
    found: dict[tuple[str, str], str] = {}
    table = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if heading := _TABLE.match(line):
            table = heading[1]
        elif entry := _ENTRY.match(line):
            found[table, entry[1]] = (entry[2] or "").strip()
    return found


def about(path: Path) -> str:
    """Return the first sentence of a profile's file."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip().partition(". ")[0].rstrip(".")


@click.command("profiles", short_help="List the cost profiles, or explain one.")
@click.argument("name", required=False, shell_complete=names.profiles)
def profiles_command(name: str | None) -> None:
    """List the cost profiles that ship, or print one: each value and where it comes from.

    NAME is a shipped profile or a TOML file (`holezero calibrate --host` writes one).
    [S..] is a published figure, [D] derived from one, [E] an engineering estimate, [M] from memory.

    \b
    holezero profiles
    holezero profiles x86-invlpgb
    """  # noqa: D301 - click's mark for lines that stay as they are
    from rich.text import Text

    from cluster.commands.output.console import console, plain_table
    from cluster.scenario.profile import load_profile, profile_path, values
    from cluster.scenario.shipped import shipped

    out = console()
    if name is None:
        table = plain_table(out, "profile", "what it is")
        for one, path in shipped("profiles", ".toml").items():
            table.add_row(one, about(path))
        out.print(table)
        return
    profile, path = load_profile(name), profile_path(name)
    out.print(Text(f"{profile.name}: {about(path)}", style="bold"))
    beside = sources(path)
    table = plain_table(out, "key", "value", "unit", "source")
    for section, key, value in values(profile):
        unit = "pages" if key.endswith("_pages") else "ns"
        beside_it = beside.get((section, key), "not in the file: the default")
        table.add_row(f"{section}.{key}", f"{value:,}", unit, beside_it)
    out.print(table)
