"""What strategies with a state cache need: states that stay as they are."""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol, Self


class State(Protocol):
    """A global state: what may come next, and what comes of it."""

    def enabled(self) -> Sequence[Any]:
        """List what may come next, in a fixed order."""

    def deliver(self, choice: Any) -> Self:  # noqa: ANN401 - one of `enabled`
        """Return the state after that, leaving this one as it is."""

    def fingerprint(self) -> Hashable:
        """Name the state: equal states behave equally."""

    def broken(self) -> str:
        """Name the promise that is broken by now, or nothing."""

    def ended(self) -> str:
        """Name the promise that is broken by ending here, with nothing enabled; or nothing."""
