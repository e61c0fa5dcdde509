"""The store buffer: first in, first out, one store outstanding across all memories (x86).

Owns its entries, and whether the first is on its way to memory. Touches nothing else.
"""

from collections import deque
from collections.abc import Hashable

from actors.core.values import Buffered
from actors.machine import Effect, Send
from actors.messages import Drain, IpiAck, Store, StoreWords, TlbiDone
from actors.settings import Settings
from kernel.claim_word import Side

_THIEF = Side.THIEF


class StoreBuffer:
    """Entries, oldest first; the first is performed before the next leaves."""

    __slots__ = ("entries", "in_flight", "me", "settings")

    def __init__(self, me: int, settings: Settings) -> None:
        """Make an empty buffer."""
        self.me = me
        self.settings = settings
        self.entries: deque[Buffered] = deque()
        #: memory has the first entry and has not answered yet
        self.in_flight = False

    def clone(self) -> "StoreBuffer":
        """Copy the container."""
        twin = StoreBuffer(self.me, self.settings)
        twin.entries = self.entries.copy()
        twin.in_flight = self.in_flight
        return twin

    def freeze(self) -> Hashable:
        """Return the canonical state."""
        return tuple(self.entries), self.in_flight

    def waiting(self) -> list[str]:
        """Count the entries."""
        return [f"{len(self.entries)} entries are in the store buffer"] if self.entries else []

    def push(self, entry: Buffered, out: list[Effect]) -> None:
        """Put an entry into the buffer and drain what may drain."""
        entries = self.entries
        entries.append(entry)
        if self.in_flight or len(entries) > 1:
            return
        if self.settings.fine:
            out.append(Send(self.me, Drain(entry.op)))
        else:
            self.drain(out)

    def drain(self, out: list[Effect]) -> None:
        """Perform the first entry: stores go to memory, acknowledgements to their initiator."""
        entries, settings = self.entries, self.settings
        while entries:
            first = entries[0]
            if first.ack_to < 0:
                self.in_flight = True
                if first.words:
                    memory = settings.memory_of(first.words[0][0])
                    out.append(Send(memory, StoreWords(first.op, _THIEF, first.words)))
                    return
                memory = settings.memory_of(first.items[0][1])
                out.append(Send(memory, Store(first.op, first.asid, first.items)))
                return
            entries.popleft()
            answer = TlbiDone if first.broadcast else IpiAck
            out.append(Send(first.ack_to, answer(first.op, first.round)))
            if settings.fine and entries:
                out.append(Send(self.me, Drain(entries[0].op)))
                return

    def performed(self, out: list[Effect]) -> None:
        """Drop the first entry, which memory has performed, and drain the next."""
        entries = self.entries
        entries.popleft()
        self.in_flight = False
        if self.settings.fine and entries:
            out.append(Send(self.me, Drain(entries[0].op)))
        elif entries:
            self.drain(out)
