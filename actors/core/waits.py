"""Threads that wait for instructions of other threads, here or on other cores.

Owns which threads wait for those of this core (`watchers`), and how far threads of other cores are
known to be (`reached`). Touches nothing else; it is told how far a thread of this core is.
"""

from collections.abc import Hashable

from actors.guest.program import Await
from actors.machine import Effect, Send
from actors.messages import AwaitIndex, Reached
from actors.settings import Settings


class Waits:
    """Both ends of a wait: on the core of the thread that waits, and on the core of the other."""

    __slots__ = ("me", "reached", "settings", "watchers")

    def __init__(self, me: int, settings: Settings) -> None:
        """Begin with nobody waiting."""
        self.me = me
        self.settings = settings
        #: (thread, index) of ours -> (core, thread) that wait for it, oldest first
        self.watchers: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        #: the last instruction that a thread of another core is known to have finished
        self.reached: dict[int, int] = {}

    def clone(self) -> "Waits":
        """Copy the containers."""
        twin = Waits(self.me, self.settings)
        twin.watchers = self.watchers.copy()
        twin.reached = self.reached.copy()
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(sorted(self.watchers.items())), tuple(sorted(self.reached.items()))

    def is_home(self, thread: int) -> bool:
        """Say whether a thread is bound to this core."""
        return self.settings.core_of[thread] == self.me

    def must_wait(self, i: Await, thread: int, done: int | None, out: list[Effect]) -> bool:
        """Say whether `thread` must wait for another; if so note it, or ask the other's core.

        done: the last instruction that the other has finished, if it is bound to this core.
        """
        if done is None:
            if self.reached.get(i.thread, -1) >= i.index:
                return False
            out.append(Send(self.settings.core_of[i.thread], AwaitIndex(thread, i.thread, i.index)))
            return True
        if done >= i.index:
            return False
        self._watch(i.thread, i.index, self.me, thread)
        return True

    def await_index(self, src: int, m: AwaitIndex, done: int) -> list[Effect]:
        """Tell another core when a thread of this one has finished an instruction.

        done: the last that it has finished by now.
        """
        if done >= m.index:
            return [Send(src, Reached(m.op, m.thread, done))]
        self._watch(m.thread, m.index, src, m.op)
        return []

    def _watch(self, thread: int, index: int, core: int, waiter: int) -> None:
        key = thread, index
        self.watchers[key] = (*self.watchers.get(key, ()), (core, waiter))

    def learn(self, m: Reached) -> None:
        """Note how far a thread is."""
        self.reached[m.thread] = max(m.index, self.reached.get(m.thread, -1))

    def finished(self, thread: int, index: int, out: list[Effect]) -> None:
        """Tell all that wait for an instruction up to `index` of a thread of this core."""
        for key in sorted(self.watchers):
            if key[0] == thread and key[1] <= index:
                for core, waiter in self.watchers.pop(key):
                    out.append(Send(core, Reached(waiter, thread, index)))
