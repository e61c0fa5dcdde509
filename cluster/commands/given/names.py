"""Completion of names that ship with holezero: scenarios, presets, hazards, profiles.

Each completer imports what knows its names, and no machine. Where a file may stand as well, the
shell completes files as soon as no name begins with what is typed.
"""

from collections.abc import Callable, Iterable

from click import Context, Parameter
from click.shell_completion import CompletionItem

Completer = Callable[[Context, Parameter, str], list[CompletionItem]]


def _among(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> Completer:
    def complete(_context: Context, _parameter: Parameter, typed: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(typed)]
        return found if found or not or_file else [CompletionItem(typed, type="file")]

    return complete


def _scenarios() -> list[str]:
    from cluster.scenario.shipped import shipped

    return [*shipped("scenarios", ".toml"), *shipped("workloads", ".hzw")]


def _profiles() -> list[str]:
    from cluster.scenario.shipped import shipped

    return list(shipped("profiles", ".toml"))


def _presets() -> list[str]:
    from kernel.policy.presets import PRESETS

    return list(PRESETS)


def _policies() -> list[str]:
    from kernel.policy.texts import KEY_ABOUT

    return [*_presets(), *KEY_ABOUT]


def _hazards() -> list[str]:
    from kernel.hazards.catalogue import BY_NAME

    return list(BY_NAME)


scenarios = _among(_scenarios, or_file=True)
profiles = _among(_profiles, or_file=True)
presets = _among(_presets)
#: presets, and the keys of policies
policies = _among(_policies)
hazards = _among(_hazards)
