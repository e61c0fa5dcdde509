"""What clients of a register asked and were told, and whether one register can explain it."""

from functools import cache
from typing import NamedTuple

#: what a register holds before anything is written
NOTHING = ""


class Call(NamedTuple):
    """A write of a value, or a read if there is none."""

    written: str | None
    #: by client: how many calls had been answered before this one was made
    before: tuple[int, ...]
    #: None: not yet; of a write it says nothing
    answer: str | None = None


#: by client: its calls; only the last may be waiting for an answer
History = tuple[tuple[Call, ...], ...]


def called(history: History, client: int, written: str | None) -> History:
    before = tuple(sum(call.answer is not None for call in calls) for calls in history)
    return _with(history, client, (*history[client], Call(written, before)))


def answered(history: History, client: int, answer: str) -> History:
    *earlier, last = history[client]
    return _with(history, client, (*earlier, last._replace(answer=answer)))


def _with(history: History, client: int, calls: tuple[Call, ...]) -> History:
    return (*history[:client], calls, *history[client + 1 :])


@cache
def linearizable(history: History) -> bool:
    """Search for an order of all answered calls in which each read returns the last write."""
    return _goes_on(history, (0,) * len(history), NOTHING)


def _goes_on(history: History, taken: tuple[int, ...], value: str) -> bool:
    left = [calls[n:] for calls, n in zip(history, taken, strict=True)]
    if not any(call.answer is not None for calls in left for call in calls):
        return True
    for client, calls in enumerate(left):
        if not calls or any(n < m for n, m in zip(taken, calls[0].before, strict=True)):
            continue
        written, _, answer = calls[0]
        # a write may take effect before it is answered, a read has no effect
        if written is None and answer != value:
            continue
        further = tuple(n + (which == client) for which, n in enumerate(taken))
        if _goes_on(history, further, value if written is None else written):
            return True
    return False
