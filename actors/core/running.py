"""The thread on the core, if there is one, and the address space that is current (`curpmap`).

Owns the running thread's place in its program, what it does, and what is left of its computation.
Touches `waits`, which tells the threads that wait for an instruction that it has finished.
"""

from collections.abc import Hashable
from typing import NoReturn

from actors.core.values import DONE, NO_SPACE, NO_THREAD, RUN, Doing, Thread
from actors.core.waits import Waits
from actors.guest.program import Guest, Instruction
from actors.machine import Effect, ProtocolError
from actors.message import Message


class Running:
    """`thread` is NO_THREAD on an idle core; `asid` stays what it was."""

    __slots__ = ("asid", "doing", "guest", "left_ns", "me", "part", "pc", "thread", "waits")

    def __init__(self, me: int, guest: Guest, waits: Waits) -> None:
        """Begin with no thread, and no address space loaded."""
        self.me = me
        self.guest = guest
        self.waits = waits
        self.thread: int = NO_THREAD
        self.pc = self.part = 0
        self.doing: Doing = DONE
        #: ns of a computation that are left
        self.left_ns = 0
        self.asid: int = NO_SPACE

    def clone(self, waits: Waits) -> "Running":
        """Copy the state; `waits` is the twin's."""
        twin = Running(self.me, self.guest, waits)
        twin.thread, twin.pc, twin.part = self.thread, self.pc, self.part
        twin.doing, twin.left_ns, twin.asid = self.doing, self.left_ns, self.asid
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return self.thread, self.pc, self.part, self.doing, self.left_ns, self.asid

    def waiting(self) -> list[str]:
        """Name the thread that has not ended."""
        if self.thread == NO_THREAD:
            return []
        return [f"thread {self.thread} is in {self.doing.name} at instruction {self.pc}"]

    def take(self, thread: int, state: Thread) -> None:
        """Put a thread on the core, with the state that was kept of it."""
        self.thread = thread
        self.pc, self.part = state.pc, state.part
        self.doing, self.left_ns = state.doing, state.left_ns

    def leave(self, doing: Doing, resume: Doing = RUN) -> Thread:
        """Take the thread off the core; return the state to keep."""
        state = Thread(self.pc, self.part, doing, resume, self.left_ns)
        self.left_ns = 0
        self.thread, self.doing = NO_THREAD, DONE
        return state

    def instruction(self) -> Instruction | None:
        """Return the instruction that the thread is at; None after the last."""
        return self.guest.at(self.thread, self.pc)

    def advance(self, out: list[Effect]) -> bool:
        """Go to the next instruction and tell those who wait for that; True: the thread goes on."""
        done = self.pc
        self.pc = done + 1
        self.part = 0
        if self.waits.watchers:
            self.waits.finished(self.thread, done, out)
        return True

    def expect(self, m: Message, *doing: Doing) -> None:
        """Require that a message is for the running thread, and that it does one of these.

        Raises:
            ProtocolError: it is not, or does something else.
        """
        if m.op != self.thread or self.doing not in doing:
            self.refuse(m)

    def refuse(self, m: Message) -> NoReturn:
        """Raise a ProtocolError: the message cannot come now."""
        raise ProtocolError(
            f"core {self.me} must not get {m!r}: thread {self.thread} is in {self.doing.name}"
        )
