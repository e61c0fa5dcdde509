"""Threads that wait for an instruction of another thread which nobody will execute.

The other has ended before it, was never started, or waits in vain itself. That is the guest's
fault, and no promise is broken. A thread that waits for an instruction which has been executed was
forgotten: that is.
"""

from collections.abc import Iterable

from actors.core.machine import Core
from actors.machine import Machine


def awaited_in_vain(machines: Iterable[Machine]) -> set[str]:
    """Return, of a run at rest, what such threads wait for, as their cores name it in `waiting`."""
    cores = [machine for machine in machines if isinstance(machine, Core)]
    home = {thread: core for core in cores for thread in core.scheduler.threads}
    return {
        core.scheduler.await_text(thread)
        for core in cores
        for thread, one in core.scheduler.awaits().items()
        if not _executed(home[one.thread], one.thread, one.index)
        and _never_goes_on(home[one.thread], one.thread)
    }


def _executed(core: Core, thread: int, index: int) -> bool:
    return core.scheduler.finished(thread) >= index


def _never_goes_on(core: Core, thread: int) -> bool:
    scheduler = core.scheduler
    ended = scheduler.has_ended(thread) or scheduler.is_unborn(thread)
    return ended or thread in scheduler.awaits()
