"""Refuse handwritten threads that would wait forever."""

from graphlib import CycleError, TopologicalSorter

from actors.guest.program import Await, Create, Exit, Fork, Instruction, Quit
from cluster.input_error import InputError
from cluster.scenario.scenario import ThreadTable


def check_waits(
    programs: list[tuple[Instruction, ...]], tables: list[ThreadTable], names: list[str], where: str
) -> None:
    """Refuse what would wait forever: threads that nobody starts, or that wait in a circle.

    Raises:
        InputError: says which threads, and what to do.
    """
    programs = [_executed(program) for program in programs]
    started = {i for i, table in enumerate(tables) if table.initial}
    for name, program in zip(names, programs, strict=False):
        for one in program:
            if isinstance(one, Create | Fork):
                started.add(one.thread)
            if isinstance(one, Fork) and not _may_be_forked(one.thread, name, tables, names):
                raise InputError(
                    f"{where}: thread {name}: forks {names[one.thread]}: give that thread "
                    "`initial = false`, and a process that no other thread begins with"
                )
            if isinstance(one, Await):
                _check_await(one, programs[one.thread], f"{where}: thread {name}", names)
    for i in sorted(set(range(len(names))) - started):
        raise InputError(
            f"{where}: thread {names[i]}: nobody starts it; add `create {names[i]}` to another "
            "thread, or take `initial = false` away"
        )
    _check_circles(programs, tables, names, where)


def _executed(program: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """Return what a thread executes at most: nothing after it has ended."""
    ends = (i for i, one in enumerate(program) if isinstance(one, Exit | Quit))
    return program[: next(ends, len(program)) + 1]


def _check_await(
    one: Await, awaited: tuple[Instruction, ...], where: str, names: list[str]
) -> None:
    if one.index < len(awaited):
        return
    other, last = names[one.thread], len(awaited) - 1
    if awaited and isinstance(awaited[-1], Exit | Quit):
        has = f"ends with its instruction {last}: await that one, or take the exit out"
    else:
        has = f"has {len(awaited)} (the first is 0)"
    raise InputError(f"{where}: awaits instruction {one.index} of thread {other}, which {has}")


def _may_be_forked(thread: int, parent: str, tables: list[ThreadTable], names: list[str]) -> bool:
    child = tables[thread]
    begins = (tables[i] for i, name in enumerate(names) if tables[i].initial or name == parent)
    others = {one.process for one in begins}
    return not child.initial and child.process not in others


def _check_circles(
    programs: list[tuple[Instruction, ...]], tables: list[ThreadTable], names: list[str], where: str
) -> None:
    ends: TopologicalSorter[tuple[int, int]] = TopologicalSorter()
    starts: dict[int, list[tuple[int, int]]] = {}
    for thread, program in enumerate(programs):
        for index, one in enumerate(program):
            ends.add((thread, index), *[(thread, index - 1)] * (index > 0))
            if isinstance(one, Await):
                ends.add((thread, index), (one.thread, one.index))
            elif isinstance(one, Create | Fork) and not tables[one.thread].initial:
                starts.setdefault(one.thread, []).append((thread, index))
    for thread, places in starts.items():
        if len(places) == 1 and programs[thread]:  # otherwise any one of them will do
            ends.add((thread, 0), places[0])
    try:
        ends.prepare()
    except CycleError as e:
        circle = dict.fromkeys(f"{names[thread]} at {index}" for thread, index in e.args[1])
        raise InputError(
            f"{where}: threads wait for one another in a circle: {', '.join(circle)} (the first "
            "instruction is 0): take one of the awaits out"
        ) from e
