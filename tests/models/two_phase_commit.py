"""Two-phase commit, as Gray and Lamport specify it: what has been said can be heard forever.

With n managers there are 4^n states while nothing is decided: each is working, prepared, prepared
and heard, or aborted on its own. Once aborted there are 6^n, since a manager may obey before or
after it was heard; once committed there are 2^n.
"""

from typing import NamedTuple

Step = tuple[str, int]


class Manager(NamedTuple):
    """A resource manager, and what became of its message."""

    state: str = "working"
    #: it has said that it is prepared
    said: bool = False
    #: the coordinator has heard it
    heard: bool = False


class TwoPhaseCommit(NamedTuple):
    """A coordinator decides once all managers are prepared, or aborts at any time before."""

    managers: tuple[Manager, ...]
    decision: str = ""
    #: states that differ only by swapped managers are equal
    symmetric: bool = False

    def enabled(self) -> list[Step]:
        """List the steps; hearing or obeying again changes nothing, but is a step."""
        steps: list[Step] = []
        if not self.decision:
            steps.append(("aborted", -1))
            if all(manager.heard for manager in self.managers):
                steps.append(("committed", -1))
        for which, manager in enumerate(self.managers):
            if manager.state == "working":
                steps += [("prepare", which), ("refuse", which)]
            if self.decision:
                steps.append(("obey", which))
            elif manager.said:
                steps.append(("hear", which))
        return steps

    def deliver(self, choice: Step) -> "TwoPhaseCommit":
        step, which = choice
        if which < 0:
            return self._replace(decision=step)
        manager = self.managers[which]
        if step == "prepare":
            manager = manager._replace(state="prepared", said=True)
        elif step == "refuse":
            manager = manager._replace(state="aborted")
        elif step == "hear":
            manager = manager._replace(heard=True)
        else:
            manager = manager._replace(state=self.decision)
        managers = (*self.managers[:which], manager, *self.managers[which + 1 :])
        return self._replace(managers=managers)

    def fingerprint(self) -> tuple[str, tuple[Manager, ...]]:
        managers = tuple(sorted(self.managers)) if self.symmetric else self.managers
        return self.decision, managers

    def broken(self) -> str:
        states = {manager.state for manager in self.managers}
        return "all or none commit" if {"aborted", "committed"} <= states else ""

    def ended(self) -> str:
        return "something is always possible"


def two_phase_commit(managers: int, *, symmetric: bool = False) -> TwoPhaseCommit:
    return TwoPhaseCommit((Manager(),) * managers, symmetric=symmetric)
