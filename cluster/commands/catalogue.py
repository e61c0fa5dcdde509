"""`holezero scenarios` and `policies`: what there is to run, and what it means."""

from difflib import get_close_matches
from enum import StrEnum

import click
from rich.text import Text

from cluster.commands.output.tables import console, plain_table
from cluster.input_error import InputError
from cluster.scenario.scenario import load
from cluster.scenario.shipped import shipped
from cluster.workload.reader import Workload
from kernel.policy.keys import Policy, concerned
from kernel.policy.presets import PRESET_ABOUT, PRESET_OPEN, PRESETS
from kernel.policy.promises import Property, promises
from kernel.policy.texts import KEY_ABOUT, VALUE_ABOUT

#: what each promise says, in one line (DESIGN, section 4)
PROPERTY_ABOUT: dict[Property, str] = {
    Property.ZERO_STRONG: "a load after ZERO returned gives 0, or a store made after the grant",
    Property.ZERO_WEAK: "a load after ZERO returned gives 0, or a store made after ZERO was called",
    Property.KEEP: "no store to memory that is in use is lost",
    Property.ISOLATE: "nobody reads what another process, or an earlier owner of a frame, wrote",
    Property.TRANSLATION: "nobody uses a translation whose shootdown is complete",
    Property.CLEAN: "a page believed to be zero is zero",
    Property.ACCOUNT: "resident-set counts are right, every frame is in exactly one place",
    Property.FORK: "a child sees memory as it was at the fork; nothing overwritten comes back",
    Property.PAGE_OUT: "no page of a hole is written to swap",
    Property.FATAL: "an access to a settled hole gives SIGSEGV, never data",
    Property.PROGRESS: "every operation returns; nothing waits at the end",
}


@click.command("scenarios", short_help="List what ships: scenarios, recorded workloads.")
def scenarios_command() -> None:
    """List the scenarios and recorded workloads that ship with holezero.

    `holezero run NAME` runs one.
    """
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


@click.command("policies", short_help="List the policies, or explain one, or a key.")
@click.argument("name", required=False)
def policies_command(name: str | None) -> None:
    """List the policies (variants of the protocol), or explain one, or one of their keys.

    Any key of a policy can be changed by `--set key=value`; combinations that make no sense are
    refused with the reason.

    \b
    holezero policies
    holezero policies fatal-hole
    holezero policies invalidate
    """  # noqa: D301 - click's mark for lines that stay as they are
    if name is None:
        _list_policies()
        return
    if name in KEY_ABOUT:
        _explain_key(name)
    elif name in PRESETS:
        _explain_policy(name)
    else:
        close = get_close_matches(name, [*PRESETS, *KEY_ABOUT], 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PRESETS)}"
        raise InputError(f"no policy or key {name!r}; {hint}")


def _list_policies() -> None:
    out = console()
    table = plain_table(out, "policy", "what it does", "promises")
    for name, policy in PRESETS.items():
        table.add_row(name, PRESET_ABOUT[name], " ".join(sorted(promises(policy))))
    out.print(table)
    table = plain_table(out, "key", "meaning", "values")
    for key, about in KEY_ABOUT.items():
        table.add_row(key, about, values_of(key))
    out.print(table)


def _explain_policy(name: str) -> None:
    out = console()
    policy = PRESETS[name]
    out.print(Text(f"{name}: {PRESET_ABOUT[name]}", style="bold"))
    table = plain_table(out, "key", "value", "what it does, and whose it is")
    for key in KEY_ABOUT:
        if key in concerned(policy):
            value = str(getattr(policy, key))
            table.add_row(key, value, VALUE_ABOUT.get((key, value), KEY_ABOUT[key]))
    out.print(table)
    open_ = PRESET_OPEN.get(name, ())
    for one in open_:
        out.print(Text(f"leaves open: {one}"))
    kept = promises(policy)
    table = plain_table(out, "promised", "property", "meaning")
    for one in Property:
        table.add_row("yes" if one in kept else "no", one, PROPERTY_ABOUT[one])
    out.print(table)


def _explain_key(key: str) -> None:
    out = console()
    out.print(Text(f"{key}: {KEY_ABOUT[key]}", style="bold"))
    table = plain_table(out, "value", "what it does, and whose it is", "presets")
    for (of, value), about in VALUE_ABOUT.items():
        if of == key:
            users = [
                name
                for name, policy in PRESETS.items()
                if key in concerned(policy) and str(getattr(policy, key)) == value
            ]
            table.add_row(value, about, " ".join(users))
    out.print(table)


def values_of(key: str) -> str:
    """List the values that a key may have."""
    kind = type(getattr(Policy(), key))
    return " ".join(kind) if issubclass(kind, StrEnum) else "a number"
