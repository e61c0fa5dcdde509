"""Threads that each give an inode a block of a file system; inodes and blocks have locks.

A lock is an actor that grants requests in order of arrival; two requests for the same lock may
arrive in either order, before or after it is free.
"""

from collections.abc import Callable
from typing import Any

from cluster.explore.strategy_api import WHOLE, Footprint
from tests.models.mailbox import Program, Sends
from tests.models.shared_memory import Thread, program

INODES, BLOCKS = 32, 26
LOCKS = INODES + BLOCKS


def _lock(queue: tuple[int, ...], message: tuple[Any, ...]) -> tuple[Any, Sends, Footprint]:
    who, kind = message
    if kind == "lock":
        return (*queue, who), [] if queue else [(who, 0)], WHOLE
    waiting = queue[1:]
    return waiting, [(who, 0), *((first, 0) for first in waiting[:1])], WHOLE


def _gives(inode: int) -> Callable[[], Thread]:
    def thread() -> Thread:
        yield ("lock", inode)
        if (yield ("read", LOCKS + inode)) == 0:
            block = inode * 2 % BLOCKS
            while True:
                lock, busy = INODES + block, LOCKS + INODES + block
                yield ("lock", lock)
                if (yield ("read", busy)) == 0:
                    yield ("write", busy, 1)
                    yield ("write", LOCKS + inode, block + 1)
                    yield ("unlock", lock)
                    break
                yield ("unlock", lock)
                block = (block + 1) % BLOCKS
        yield ("unlock", inode)

    return thread


def filesystem(threads: int) -> Program:
    """Make the actors: threads, then locks of inodes and blocks, then what they hold."""
    made = program([_gives(which % INODES) for which in range(threads)], 2 * LOCKS)
    made.handlers[threads : threads + LOCKS] = [_lock] * LOCKS
    made.states[threads : threads + LOCKS] = [()] * LOCKS
    return made
