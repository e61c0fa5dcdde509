"""Put events into the order in which the kernel handled them.

A call takes effect somewhere between its entry and its return. One that takes memory away (munmap,
madvise, mprotect(PROT_NONE)) counts from its entry: another thread may be handed the range before
the call returns. One that gives memory counts from its return: nobody has it earlier. Whether a
call worked is only known at its return, so events after an entry are held back until then.
"""

from collections import deque
from collections.abc import Callable

from cluster.importers.recording.recorded import Call, Event

#: most events held back; a call still open after so many is taken to have worked
HELD_EVENTS = 4096


def counts_from_entry(name: str, args: tuple[int, ...]) -> bool:
    """Say whether a call is ordered by its entry (otherwise by its return)."""
    return name in ("munmap", "madvise") or (name == "mprotect" and args[2] == 0)


class _Held:
    """A place in the order: an event, or a call that has not returned yet."""

    __slots__ = ("event", "open")

    def __init__(self, event: Event | None, *, is_open: bool) -> None:
        self.event = event
        self.open = is_open


class IssueOrder:
    """Hand events to `perform` in order; `close` hands over the rest."""

    def __init__(self, perform: Callable[[Event], None]) -> None:
        self._perform = perform
        self._held: deque[_Held] = deque()
        self._entered: dict[int, _Held] = {}

    def put(self, event: Event) -> None:
        """Take an event whose place in the order is here."""
        if self._held:
            self._held.append(_Held(event, is_open=False))
            self._hand_over()
        else:
            self._perform(event)

    def enter(self, call: Call) -> None:
        """Reserve the place of a call that has just been entered by its thread."""
        held = _Held(call, is_open=True)
        self._held.append(held)
        self._entered[call.tid] = held
        self._hand_over()

    def leave(self, call: Call) -> None:
        """Complete the call that the thread entered last."""
        held = self._entered.pop(call.tid, None)
        if held is None or not held.open:
            return  # taken to have worked, long ago
        held.event, held.open = call, False
        self._hand_over()

    def abandon(self, tid: int) -> bool:
        """Drop a call that will never return; say whether there was one."""
        held = self._entered.pop(tid, None)
        if held is None or not held.open:
            return False
        held.event, held.open = None, False
        self._hand_over()
        return True

    def close(self) -> int:
        """Drop calls that never returned and hand over the rest; return how many were dropped."""
        return sum(self.abandon(tid) for tid in list(self._entered))

    def _hand_over(self) -> None:
        held = self._held
        while held and (not held[0].open or len(held) > HELD_EVENTS):
            first = held.popleft()
            first.open = False
            if first.event is not None:
                self._perform(first.event)
