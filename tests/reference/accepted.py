"""Whether some order of all steps explains what the threads of a racing guest saw.

A search among all of them, that knows every state it has been in.
"""

from collections.abc import Iterator

from tests.reference.guests import Guest
from tests.reference.interleaved import GRANULES, ZERO, Mapping, State, Steps
from tests.reference.rules import RULES
from tests.reference.sequential import Event

#: presets whose ZERO awaits no invalidation
_WEAK = frozenset({"deferred-tlb", "flag-fatal"})
#: states after which it is given up: nothing is said then
_STATES_MAX = 200_000
_NEXT = (1, 0, 0)


class Undecided(Exception):  # noqa: N818 - it says what it means
    """There are too many states."""


class Search:
    """One guest, what its threads saw, and the orders that explain it."""

    def __init__(
        self, guest: Guest, preset: str, seen: list[list[Event]], names: list[list[int]]
    ) -> None:
        """Prepare.

        names: of the store that each line of each thread may make.
        """
        rules = RULES[preset]
        self.cores = [core for _, core in guest.threads]
        programs, _ = guest.programs()
        self.programs = [[_words(line, rules) for line in program] for program in programs]
        self.seen, self.names = seen, names
        self.steps = Steps(rules, max(self.cores) + 1, strong=preset not in _WEAK)
        self.pages = max(int(line.split()[2]) for _, line in guest.order if line.startswith("map"))

    def explains(self) -> str:
        """Return how far the best order gets if there is none that explains all; else nothing.

        Raises:
            Undecided: there are too many states to say.
        """
        unborn = tuple((-1, 0, 0) for _ in self.programs[1:])
        pages = (Mapping("", 0),) * self.pages
        buffers = ((),) * self.steps.cores
        start = State(((0, 0, 0), *unborn), pages, ((ZERO, ZERO),), frozenset(), buffers)
        todo, known, best = [start], {start}, start
        while todo:
            state = todo.pop()
            if self._is_over(state):
                return ""
            if sum(one[0] for one in state.at) > sum(one[0] for one in best.at):
                best = state
            for after in self._after(state):
                if after not in known:
                    known.add(after)
                    todo.append(after)
            if len(known) > _STATES_MAX:
                raise Undecided
        return self._told(best)

    def _is_over(self, state: State) -> bool:
        return all(
            pc == len(program) and seen == len(events)
            for (pc, _, seen), program, events in zip(
                state.at, self.programs, self.seen, strict=True
            )
        )

    def _told(self, best: State) -> str:
        stuck = []
        for thread, (pc, _, seen) in enumerate(best.at):
            if 0 <= pc < len(self.programs[thread]):
                line = " ".join(self.programs[thread][pc])
                stuck.append(f"{thread}: {line}: saw {self.seen[thread][seen : seen + 1]}")
        return "no order explains " + "; ".join(stuck)

    def _after(self, state: State) -> Iterator[State]:
        for core, buffer in enumerate(state.buffers):
            if buffer:
                yield self.steps.drained(state, core)
        for thread, (pc, _, _) in enumerate(state.at):
            if 0 <= pc < len(self.programs[thread]):
                yield from self._next(state, thread)

    def _next(self, state: State, thread: int) -> Iterator[State]:
        pc, step, seen = state.at[thread]
        words, core = self.programs[thread][pc], self.cores[thread]
        verb, empty = words[0], not state.buffers[core]
        if verb in ("load", "store"):
            if seen < len(self.seen[thread]):
                yield from self._access(state, thread, words, self.seen[thread][seen])
        elif verb == "create":
            after = _advanced(state, thread, _NEXT)
            yield _advanced(after, int(words[1]), _NEXT)
        elif verb == "nothing" or (verb == "fence" and empty):
            yield _advanced(state, thread, _NEXT)
        elif verb != "fence" and (empty or step):  # a call drains the buffer first
            yield from self._call(state, thread, words)

    def _call(self, state: State, thread: int, words: tuple[str, ...]) -> Iterator[State]:
        _, step, seen = state.at[thread]
        who = thread, self.cores[thread]
        for after, returned, error in self.steps.call(state, who, step, words):
            if not returned:
                yield _advanced(after, thread, (0, 1, 0))
            elif self.seen[thread][seen : seen + 1] == [("call", error)]:
                yield _advanced(after, thread, (1, -step, 1))

    def _access(
        self, state: State, thread: int, words: tuple[str, ...], event: Event
    ) -> Iterator[State]:
        write, core = words[0] == "store", self.cores[thread]
        page, granule = words[1].split(".")
        place = int(page), GRANULES.index(int(granule))
        if event[0] == "segv":
            code = self.steps.signal(state, place[0], write=write)
            if not code and self.steps.may_be_fatal(state, place[0]):
                code = 3
            found = iter([state] if code and event == ("segv", place[0], code) else [])
        elif write:
            name = self.names[thread][state.at[thread][0]]
            right = event == ("store", name)
            found = self.steps.stores(state, core, place, name) if right else iter(())
        else:
            value = event[1]
            assert value is None or isinstance(value, int)
            found = self.steps.loads(state, core, place, value)
        for after in found:
            yield _advanced(after, thread, (1, 0, 1))


def _advanced(state: State, thread: int, by: tuple[int, int, int]) -> State:
    pc, step, seen = state.at[thread]
    now = pc + by[0], step + by[1], seen + by[2]
    return state._replace(at=(*state.at[:thread], now, *state.at[thread + 1 :]))


def _words(line: str, rules: object) -> tuple[str, ...]:
    verb, *words = line.split()
    if verb in ("release", "reuse"):
        verb = getattr(rules, verb) or "nothing"
    return verb, *words
