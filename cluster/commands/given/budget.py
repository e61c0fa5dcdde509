"""Budgets of searches as users write them: a number of states or orders, or a time."""

import re

from cluster.input_error import InputError

_BUDGET = re.compile(r"(\d+)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def budget_of(text: str) -> tuple[int | None, float]:
    """Return a number of states or orders, and seconds; one of them has no limit.

    Raises:
        InputError: it is neither, or 0.
    """
    match = _BUDGET.fullmatch(text)
    if match is None or not int(match[1]):
        raise InputError(f"--budget {text}: give a number, or a time such as 500ms, 30s, 10m, 2h")
    if match[2] is None:
        return int(match[1]), float("inf")
    return None, int(match[1]) * _SECONDS[match[2]]
