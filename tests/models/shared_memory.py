"""Threads over shared variables: a variable is an actor that performs reads, writes and swaps.

The programs are those of GenMC's synthetic suite and of Concuerror's tests, written from what they
do. A thread is a generator that yields accesses and is sent their results; as a generator cannot be
copied, a thread's state is the results so far, and it is run anew.
"""

from collections.abc import Callable, Generator
from typing import Any

from cluster.explore.strategy_api import WHOLE, Footprint
from tests.models.mailbox import Handler, Program, Sends

#: ("read", variable), ("write", variable, value), ("cas", variable, old, new), ("add", variable, n)
Access = tuple[Any, ...]
Thread = Generator[Access, int, None]
READ = Footprint(reads=1)


def _variable(value: int, message: tuple[Any, ...]) -> tuple[int, Sends, Footprint]:
    who, kind, *rest = message
    result, after, footprint = value, value, WHOLE
    if kind == "read":
        footprint = READ
    elif kind == "write":
        after = rest[0]
    elif kind == "add":
        after = value + rest[0]
    elif value == rest[0]:
        result, after = 1, rest[1]
    else:
        result, footprint = 0, READ  # a swap that fails only reads
    return after, [(who, result)], footprint


def program(threads: list[Callable[[], Thread]], variables: int) -> Program:
    """Make the actors: threads first, then variables, all of them zero."""
    first = len(threads)

    def thread(which: int) -> Handler:
        def step(results: tuple[int, ...], message: int | None) -> tuple[Any, Sends, Footprint]:
            if message is not None:
                results = (*results, message)
            running = threads[which]()
            try:
                access = next(running)
                for result in results:
                    access = running.send(result)
            except StopIteration:
                return results, [], WHOLE
            return results, [(first + access[1], (which, access[0], *access[2:]))], WHOLE

        return step

    handlers: list[Handler] = [*map(thread, range(first)), *[_variable] * variables]
    states = [*[()] * first, *[0] * variables]
    return Program(handlers, states, [(which, None) for which in range(first)])


def readers(n: int) -> Program:
    """One writes a variable, n read it."""

    def write() -> Thread:
        yield ("write", 0, 1)

    def read() -> Thread:
        yield ("read", 0)

    return program([write, *[read] * n], 1)


def lastzero(n: int) -> Program:
    """One searches backwards for a zero, n others each raise a place above the one before it."""

    def look() -> Thread:
        place = n
        while (yield ("read", place)) != 0:
            place -= 1

    def raises(place: int) -> Callable[[], Thread]:
        def thread() -> Thread:
            value = yield ("read", place - 1)
            yield ("write", place, value + 1)

        return thread

    return program([look, *(raises(place) for place in range(1, n + 1))], n + 1)


def indexer(n: int) -> Program:
    """Each of n threads puts four messages into a hash table of 128."""

    def puts(me: int) -> Callable[[], Thread]:
        def thread() -> Thread:
            for count in range(1, 5):
                word = count * 11 + me
                slot = word * 7 % 128
                while not (yield ("cas", slot, 0, word)):
                    slot = (slot + 1) % 128

        return thread

    return program([puts(me) for me in range(n)], 128)


def adds(n: int) -> Program:
    """Each of n threads adds to one variable."""

    def add() -> Thread:
        yield ("add", 0, 1)

    return program([add] * n, 1)


def writes_and_reads(n: int) -> Program:
    """Each of n threads stores to one variable, then to a second."""

    def both() -> Thread:
        yield ("write", 0, 1)
        yield ("write", 1, 1)

    return program([both] * n, 2)


def thrice(n: int) -> Program:
    """Each of n threads adds to three variables."""

    def add() -> Thread:
        for variable in range(3):
            yield ("add", variable, 1)

    return program([add] * n, 3)


def stores_and_adds(n: int) -> Program:
    """One stores to a variable, n add to it."""

    def store() -> Thread:
        yield ("write", 0, 1)

    def add() -> Thread:
        yield ("add", 0, 1)

    return program([store, *[add] * n], 1)


def loads_and_stores(n: int) -> Program:
    """Each of n threads loads a variable, then stores one more to it."""

    def one_more() -> Thread:
        value = yield ("read", 0)
        yield ("write", 0, value + 1)

    return program([one_more] * n, 1)


def stores_and_loads(n: int) -> Program:
    """Each of n threads stores to a variable, then loads it."""

    def back() -> Thread:
        yield ("write", 0, 1)
        yield ("read", 0)

    return program([back] * n, 1)


def store_and_swaps(n: int) -> Program:
    """One stores 42 to a variable, each of n threads tries once to swap it from 42."""

    def store() -> Thread:
        yield ("write", 0, 42)

    def swap() -> Thread:
        yield ("cas", 0, 42, 1)

    return program([store, *[swap] * n], 1)


def swaps(n: int) -> Program:
    """Each of n threads tries once to swap a variable from zero."""

    def swap() -> Thread:
        yield ("cas", 0, 0, 1)

    return program([swap] * n, 1)
