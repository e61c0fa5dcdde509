"""Find which access of the guest each simulated fault belongs to, from the facts of a run.

A thread's facts come in program order: a fault since its last access belongs to the next access
that it makes.
"""

from collections import Counter

from actors.facts import Fact, Faulted, Segv, Touched
from actors.guest.program import Access, Guest
from cluster.oracle.expected import Labels
from kernel.errors import FaultCause

#: in place of a `FaultCause`: the access was a SIGSEGV
SIGSEGV = -1


class _Thread:
    """Where a thread is: the access that it is making or has made last."""

    __slots__ = ("cause", "index", "labelled", "left")

    def __init__(self) -> None:
        self.index = -1
        #: elements of the access that are still to be made
        self.left = 0
        #: cause of the first fault of the access
        self.cause = 0
        #: how many labelled accesses it has made
        self.labelled = 0


class FaultWatch:
    """A listener that counts labelled accesses by how they faulted.

    `counts[label, cause]`: cause is a `FaultCause` (0: no fault), or `SIGSEGV`.
    """

    def __init__(self, guest: Guest, labels: Labels) -> None:
        self.counts: Counter[tuple[int, int]] = Counter()
        #: accesses without a label (made by a populating call), by whether they faulted
        self.unlabelled: Counter[bool] = Counter()
        self._guest = guest
        self._labels = labels
        self._threads = [_Thread() for _ in guest.threads]

    def noted(self, _when: int, _actor: int, fact: Fact) -> None:
        """Take in one fact."""
        if isinstance(fact, Faulted):
            thread = self._threads[fact.op]
            thread.cause = thread.cause or fact.cause
        elif isinstance(fact, Touched):
            self._made(fact.op, fact.count)
        elif isinstance(fact, Segv):
            self._threads[fact.op].cause = SIGSEGV
            self._made(fact.op, 1)

    def _made(self, number: int, count: int) -> None:
        thread = self._threads[number]
        if not thread.left:
            self._turn_to_next(number, thread)
        thread.left -= count
        assert thread.left >= 0, f"thread {number} makes more accesses than its program has"
        if not thread.left:
            self._count(number, thread)

    def _turn_to_next(self, number: int, thread: _Thread) -> None:
        while True:
            thread.index += 1
            instruction = self._guest.at(number, thread.index)
            assert instruction is not None, f"thread {number} is past its end"
            if isinstance(instruction, Access):
                thread.left = instruction.count
                return

    def _count(self, number: int, thread: _Thread) -> None:
        """Count a completed access."""
        cause, thread.cause = thread.cause, int(FaultCause.NONE)
        at = thread.labelled
        indexes = self._labels.indexes[number] if number < len(self._labels.indexes) else ()
        if at < len(indexes) and indexes[at] == thread.index:
            thread.labelled = at + 1
            self.counts[self._labels.labels[number][at], cause] += 1
        else:
            self.unlabelled[bool(cause)] += 1
