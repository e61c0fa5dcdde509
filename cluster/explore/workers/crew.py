"""Workers that share a search: what a driver asks of them, wherever they run.

A shared search is a driver, and a share for each worker. They do the same in one process and in
many; a crew carries questions and answers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Crew(Protocol):
    """Some workers, numbered from 0; each answers one question after another."""

    size: int

    def ask(self, worker: int, task: str, *arguments: object) -> None:
        """Have the method `task` of a worker's share called."""

    def answer(self) -> tuple[int, Any]:
        """Wait for the next answer; return the worker and what its method returned."""


def ask_all(crew: Crew, task: str, arguments: Sequence[tuple[object, ...]]) -> list[Any]:
    """Ask every worker the same, each with its own arguments; return the answers by worker."""
    for worker, given in enumerate(arguments):
        crew.ask(worker, task, *given)
    answers = dict(crew.answer() for _ in arguments)
    return [answers[worker] for worker in range(len(arguments))]


class HereCrew:
    """Workers in this process, one after another."""

    def __init__(self, shares: Sequence[object], pick: Callable[[int], int] = lambda _: 0) -> None:
        """Make a crew of shares; `pick` chooses which of so many questions is answered next."""
        self.size = len(shares)
        self._shares = shares
        self._pick = pick
        self._asked: deque[tuple[int, str, tuple[object, ...]]] = deque()

    def ask(self, worker: int, task: str, *arguments: object) -> None:
        """Note a question."""
        self._asked.append((worker, task, arguments))

    def answer(self) -> tuple[int, Any]:
        """Answer one question."""
        place = self._pick(len(self._asked))
        worker, task, arguments = self._asked[place]
        del self._asked[place]
        return worker, getattr(self._shares[worker], task)(*arguments)
