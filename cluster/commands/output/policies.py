"""The variants of the protocol and their keys, as tables."""

from enum import StrEnum

from rich.text import Text

from cluster.commands.output.console import console, plain_table
from kernel.policy.keys import Policy, concerned
from kernel.policy.presets import PRESET_ABOUT, PRESET_OPEN, PRESETS
from kernel.policy.promises import Property, promises
from kernel.policy.texts import KEY_ABOUT, VALUE_ABOUT

#: what each promise says, in one line
PROPERTY_ABOUT: dict[Property, str] = {
    Property.ZERO_STRONG: "a load after ZERO returned gives 0, or a store by a later translation",
    Property.ZERO_WEAK: "a load after ZERO returned gives 0, or a store made after ZERO was called",
    Property.KEEP: "no store to memory that is in use is lost",
    Property.ISOLATE: "nobody reads what another process, or an earlier owner of a frame, wrote",
    Property.TRANSLATION: "no core keeps an entry past a deadline (PROTOCOL.md, Deadlines)",
    Property.CLEAN: "a page believed to be zero is zero",
    Property.ACCOUNT: "resident-set counts are right, every frame is in exactly one place",
    Property.FORK: "a child sees memory as it was at the fork; nothing overwritten comes back",
    Property.PAGE_OUT: "no page of a hole is written to swap",
    Property.ACCESS: "access ends when the call that takes it away returns",
    Property.USABLE: "memory is usable after a ZERO, an mmap or an mprotect that succeeded",
    Property.UNCHANGED: "a call that failed changed nothing that it must not",
    Property.LOCKED: "locked and pinned memory stays, whatever is advised",
    Property.ENDED: "exit_group and execve end every thread of the process",
    Property.FATAL: "an access to a settled hole gives SIGSEGV, never data",
    Property.PROGRESS: "every operation returns; nothing waits at the end",
}


def list_policies() -> None:
    """Print all policies, and all their keys."""
    out = console()
    table = plain_table(out, "policy", "what it does", "promises")
    for name, policy in PRESETS.items():
        table.add_row(name, PRESET_ABOUT[name], " ".join(sorted(promises(policy))))
    out.print(table)
    table = plain_table(out, "key", "meaning", "values")
    for key, about in KEY_ABOUT.items():
        table.add_row(key, about, _values_of(key))
    out.print(table)


def explain_policy(name: str) -> None:
    """Print what a policy does, leaves open and promises."""
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


def explain_key(key: str) -> None:
    """Print what each value of a key does, and who has it."""
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


def _values_of(key: str) -> str:
    """List the values that a key may have."""
    kind = type(getattr(Policy(), key))
    return " ".join(kind) if issubclass(kind, StrEnum) else "a number"
