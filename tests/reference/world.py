"""What all calls share: the processes, the memory that they share, the rules of the preset."""

from collections.abc import Callable

from tests.reference.memory import Memory, Page, Process
from tests.reference.rules import Rules

_LIMIT = 1 << 36
#: the errors that are right for a call, and what the one that was given means for the memory
Outcome = tuple[set[int], Callable[[int], None]]


class World:
    """The processes of a guest and their memory."""

    def __init__(
        self, rules: Rules, threads: list[tuple[int, int]], files: Callable[[int, int], int]
    ) -> None:
        """Start with nothing mapped.

        threads: process and core of each; files: what a page of a file holds, by file and page.
        """
        self.rules = rules
        self.threads = threads
        self.processes = [Process() for _ in range(1 + max(process for process, _ in threads))]
        #: the thread that makes the call
        self.caller = 0
        #: pages of shared objects, by name
        self.sizes: dict[str, int] = {}
        self._files = files
        self._shared: dict[tuple[str, int], Memory] = {}

    def shared(self, place: tuple[str, int]) -> Memory:
        """Return the memory of a page of a shared object or a file."""
        if place not in self._shared:
            fill = self._files(int(place[0][1:]), place[1]) if place[0][0] == "f" else 0
            self._shared[place] = Memory(fill)
        return self._shared[place]

    def is_locked_elsewhere(self, page: Page) -> bool:
        """Say whether another mapping that shows the same shared memory is locked."""
        return page.shared and any(
            other.locked and other.shown is page.memory and other is not page
            for process in self.processes
            for other in process.pages.values()
        )

    def is_closed(self, page: Page) -> bool:
        """Say whether a page is in a hole where every access is a signal."""
        hole = page.memory.hole if page.shared else page.hole
        return self.rules.fatal and hole

    def may_be_closed(self, page: Page) -> bool:
        """Say whether nobody can tell: it is mapped, locked, or HOLE was not for it."""
        ignored = page.older and self.rules.older != "punch"
        unsure = ignored or page.memory.unsure_hole or self.rules.mapped_goes_on
        return self.is_closed(page) and unsure

    def is_beyond(self, page: Page) -> bool:
        """Say whether a page is past the end of what is mapped there; files never end."""
        return page.place is not None and page.place[1] >= self.sizes.get(page.place[0], _LIMIT)


def settled(error: int) -> Outcome:
    """Return the outcome of a call that is over, with the only error that is right."""
    return {error}, lambda _error: None
