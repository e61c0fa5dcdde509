"""The sentences that a script's verbs answer with."""

from collections.abc import Iterable, Mapping

from cluster.properties.violation import Violation


def told(v: Violation) -> str:
    """Name the property and say how it was broken."""
    return f"{v.property}: {v.text}"


def broken(violations: Iterable[Violation]) -> list[str]:
    """Say what was broken, a line each."""
    return [f"broken: {told(v)}" for v in violations]


def broken_protocol(error: str) -> list[str]:
    """Say that a machine was sent what it cannot take; nothing for an empty error."""
    return [f"broken: protocol: {error}"] if error else []


def unpromised(times: Mapping[str, int]) -> list[str]:
    """Say which properties were broken that the policy does not promise, and how often."""
    return [
        f"not promised: {name}, broken {'once' if n == 1 else f'{n} times'}"
        for name, n in times.items()
    ]


def deliveries(count: int) -> str:
    """Count deliveries."""
    return "1 delivery" if count == 1 else f"{count} deliveries"


def settled(count: int, until: str | None, *, quiet: bool, counts: Mapping[str, int]) -> list[str]:
    """Say how many deliveries were made, of which messages, and why there were no more."""
    if until:
        line = f"stopped after {deliveries(count)}: {until} is in flight"
    else:
        left = "nothing is left in flight" if quiet else "the rest is held back"
        line = f"settled after {deliveries(count)}: {left}"
    of_them = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    return [line, f"  of them {of_them}"] if counts else [line]


def explored(states: int, *, complete: bool) -> str:
    """Say how many states a search has been to."""
    return f"explored {states} states: {'all there are' if complete else 'there may be more'}"
