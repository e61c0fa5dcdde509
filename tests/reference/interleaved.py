"""A machine of steps, as simple as can be, that says what threads that race may see.

It has frames, mappings, what each core may still have cached, and a buffer of stores a core (TSO).
A call is two or three steps. From the step that takes access away until the call returns, other
cores may use what they had; when it returns they may not, and what they have stored is in memory.
HOLE that defers is the exception: it says nothing of other cores. Contents of a hole are old or
zero; so are they while ZERO is at work, and a store that meets it may be lost.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.reference.ranges import EINVAL, ENOMEM, EPERM
from tests.reference.rules import Rules

Values = frozenset[int]
ZERO: Values = frozenset({0})
GRANULES = (0, 200)
_RIGHTS = {"": 0, "none": 0, "r": 1, "rw": 2}
_GAP = {"freebsd": 0, "linux": ENOMEM, "xnu": EINVAL}


class Mapping(NamedTuple):
    """A page of the process; `prot` is empty where nothing is mapped."""

    prot: str
    frame: int
    hole: bool = False
    #: ZERO or mmap has it in hand: who wants it waits
    held: bool = False


class Cached(NamedTuple):
    """What a core may still use of a page."""

    core: int
    page: int
    frame: int
    rights: int


class Buffered(NamedTuple):
    """A store that is not in memory yet."""

    page: int
    granule: int
    frame: int
    value: int


class Zeroing(NamedTuple):
    """A ZERO at work, and what was stored to its frame since it was called."""

    thread: int
    frame: int
    since: tuple[Values, ...]


#: says which of what cores may use of a page they may go on to use
Keeps = Callable[[Cached], bool]


class State(NamedTuple):
    """Where everything is; a value."""

    #: by thread: the instruction, how far it is in it, and how much was seen
    at: tuple[tuple[int, int, int], ...]
    pages: tuple[Mapping, ...]
    frames: tuple[tuple[Values, ...], ...]
    cached: frozenset[Cached]
    buffers: tuple[tuple[Buffered, ...], ...]
    zeroing: tuple[Zeroing, ...] = ()

    def page(self, number: int, after: Mapping) -> "State":
        """Change the mapping of a page."""
        pages = self.pages
        return self._replace(pages=(*pages[: number - 1], after, *pages[number:]))

    def frame(self, number: int, after: tuple[Values, ...]) -> "State":
        """Change the contents of a frame."""
        frames = self.frames
        return self._replace(frames=(*frames[:number], after, *frames[number + 1 :]))

    def fresh(self) -> tuple["State", int]:
        """Return the state with one more frame of zeros, and its number."""
        return self._replace(frames=(*self.frames, (ZERO, ZERO))), len(self.frames)

    def is_uncertain(self, frame: int) -> bool:
        """Say whether a frame may become zero at any time."""
        holes = any(one.hole and one.prot and one.frame == frame for one in self.pages)
        return holes or any(one.frame == frame for one in self.zeroing)


class Steps:
    """The steps of calls and accesses under the rules of a preset."""

    def __init__(self, rules: Rules, cores: int, *, strong: bool) -> None:
        """Make them.

        strong: ZERO awaits outstanding invalidations before it zeroes.
        """
        self.rules = rules
        #: HOLE takes entries of the page table away; else an access to a hole may go on, or not
        self.closes = rules.fatal and not rules.mapped_goes_on
        self.cores = cores
        self.strong = strong

    # Accesses.

    def signal(self, state: State, number: int, *, write: bool) -> int:
        """Return the signal that an access would get now; 0 if none."""
        page = state.pages[number - 1]
        if not page.prot:
            return 0 if page.held else 1
        if _RIGHTS[page.prot] < 1 + write:
            return 2
        return 3 if self.closes and page.hole else 0

    def may_be_fatal(self, state: State, number: int) -> bool:
        """Say whether an access may get a signal as it faults in a hole, or may go on."""
        return self.rules.mapped_goes_on and state.pages[number - 1].hole

    def translations(self, state: State, core: int, number: int, *, write: bool) -> set[int]:
        """Return the frames that a core may get at."""
        page = state.pages[number - 1]
        found = {
            one.frame
            for one in state.cached
            if one.core == core and one.page == number and one.rights > write
        }
        if not self.signal(state, number, write=write) and not page.held:
            found.add(page.frame)
        return found

    def loads(
        self, state: State, core: int, place: tuple[int, int], value: int | None
    ) -> Iterator[State]:
        """Yield what may be when a load has given a value; None: one of the core's own buffer."""
        number, granule = place
        own = any((one.page, one.granule) == place for one in state.buffers[core])
        if own or value is None:
            if own and value is None:
                yield state
            return
        for frame in self.translations(state, core, number, write=False):
            contents = state.frames[frame]
            if value not in contents[granule]:
                continue
            if len(contents[granule]) == 1 or state.is_uncertain(frame):
                yield state
            else:
                yield state.frame(frame, _with(contents, granule, frozenset({value})))

    def stores(
        self, state: State, core: int, place: tuple[int, int], value: int
    ) -> Iterator[State]:
        """Yield what may be when a store has retired into the buffer."""
        number, granule = place
        for frame in self.translations(state, core, number, write=True):
            one = Buffered(number, granule, frame, value)
            yield state._replace(buffers=_appended(state.buffers, core, one))

    def drained(self, state: State, core: int) -> State:
        """Perform the oldest store of a core's buffer."""
        one, *rest = state.buffers[core]
        buffers = (*state.buffers[:core], tuple(rest), *state.buffers[core + 1 :])
        values = frozenset({one.value, 0} if state.is_uncertain(one.frame) else {one.value})
        after = state.frame(one.frame, _with(state.frames[one.frame], one.granule, values))
        zeroing = tuple(
            zero._replace(since=_with(zero.since, one.granule, zero.since[one.granule] | values))
            if zero.frame == one.frame
            else zero
            for zero in state.zeroing
        )
        return after._replace(buffers=buffers, zeroing=zeroing)

    # Calls: each yields (state, whether it has returned, its error) for its next step.

    def call(
        self, state: State, thread: tuple[int, int], step: int, words: tuple[str, ...]
    ) -> Iterator[tuple[State, bool, int]]:
        """Yield what may be after the next step of a call."""
        verb, number = words[0], int(words[1])
        page = state.pages[number - 1]
        if verb == "map":
            yield from self._map(state, step, range(number, number + int(words[2])))
        elif page.held and step == 0:
            return  # somebody else has the map locked, or the page in hand
        elif step == 0 and (not page.prot or self._refused(verb, page)):
            yield state, True, self._error(verb, page)
        elif verb == "zero":
            yield from self._zero(state, thread[0], step, number)
        elif step == 0:
            yield self._begun(state, thread, words, number), False, 0
        else:
            yield from self._returned(state, thread, words, number)

    def _refused(self, verb: str, page: Mapping) -> bool:
        return verb in ("hole", "zero") and self.rules.errors == "xnu" and page.prot != "rw"

    def _error(self, verb: str, page: Mapping) -> int:
        if page.prot:
            return EPERM
        if verb == "unmap":
            return 0
        if verb == "protect" and self.rules.errors == "xnu":
            return ENOMEM
        return _GAP[self.rules.errors]

    def _taken(self, state: State, number: int) -> State:
        """Leave it to every core to have cached what the page table has permitted so far."""
        page = state.pages[number - 1]
        closed = (self.closes and page.hole) or page.held
        rights = 0 if closed else _RIGHTS[page.prot]
        if not rights:
            return state
        more = {Cached(core, number, page.frame, rights) for core in range(self.cores)}
        return state._replace(cached=state.cached | more)

    def _begun(
        self, state: State, thread: tuple[int, int], words: tuple[str, ...], number: int
    ) -> State:
        verb, rules, page = words[0], self.rules, state.pages[number - 1]
        if verb == "unmap":
            return self._taken(state, number).page(number, Mapping("", page.frame))
        if verb == "protect":
            less = _RIGHTS[words[3]] < _RIGHTS[page.prot]
            state = self._taken(state, number) if less else state
            return state.page(number, page._replace(prot=words[3]))
        if verb == "dontneed" and not rules.keeps_dontneed:
            state, frame = self._taken(state, number).fresh()
            hole = page.hole and not rules.by_page
            return state.page(number, page._replace(frame=frame, hole=hole))
        if verb == "hole" and not rules.keeps:
            state = self._taken(state, number) if self.closes else state
            state = state.page(number, page._replace(hole=True))
            maybe = tuple(values | ZERO for values in state.frames[page.frame])
            return state.frame(page.frame, maybe)
        return state

    def _returned(
        self, state: State, thread: tuple[int, int], words: tuple[str, ...], number: int
    ) -> Iterator[tuple[State, bool, int]]:
        verb, frame = words[0], state.pages[number - 1].frame
        keeps: Keeps = _keep_nothing
        if verb == "protect":
            keeps = lambda one: one.frame == frame and one.rights <= _RIGHTS[words[3]]  # noqa: E731
        elif verb == "dontneed":
            keeps = lambda one: one.frame == frame  # noqa: E731
        elif verb == "hole" and self.rules.deferred:
            keeps = lambda one: one.core != thread[1]  # noqa: E731
        elif verb not in ("unmap", "hole"):
            keeps = lambda _one: True  # noqa: E731
        after = _flushed(state, number, keeps)
        if after is not None:
            yield after, True, 0

    def _map(self, state: State, step: int, span: range) -> Iterator[tuple[State, bool, int]]:
        if step == 0:
            if any(state.pages[number - 1].held for number in span):
                return
            for number in span:
                state = self._taken(state, number)
                state = state.page(number, Mapping("", 0, held=True))
            yield state, False, 0
            return
        after: State | None = state
        for number in span:
            after = _flushed(after, number) if after is not None else None
            if after is None:
                return
            after, frame = after.fresh()
            after = after.page(number, Mapping("rw", frame))
        assert after is not None
        yield after, True, 0

    def _zero(
        self, state: State, thread: int, step: int, number: int
    ) -> Iterator[tuple[State, bool, int]]:
        page = state.pages[number - 1]
        if step == 0:
            state = self._taken(state, number) if self.closes else state
            state = state.page(number, page._replace(held=self.closes))
            maybe = tuple(values | ZERO for values in state.frames[page.frame])
            state = state.frame(page.frame, maybe)
            work = Zeroing(thread, page.frame, (frozenset(), frozenset()))
            yield state._replace(zeroing=(*state.zeroing, work)), False, 0
            return
        if step == 1:
            yield from self._granted(state, thread, number)
            return
        yield state, True, 0

    def _granted(self, state: State, thread: int, number: int) -> Iterator[tuple[State, bool, int]]:
        (work,) = [one for one in state.zeroing if one.thread == thread]
        after: State | None = state
        if self.closes and self.strong:
            after = _flushed(state, number)
        if after is None:
            return
        strong = self.closes and self.strong
        contents = tuple(ZERO if strong else ZERO | values for values in work.since)
        page = after.pages[number - 1]
        after = after.frame(work.frame, contents)
        if page.frame == work.frame:
            after = after.page(number, page._replace(hole=False, held=False))
        left = tuple(one for one in after.zeroing if one.thread != thread)
        yield after._replace(zeroing=left), False, 0


def _keep_nothing(_one: Cached) -> bool:
    return False


def _flushed(state: State, number: int, keeps: Keeps = _keep_nothing) -> State | None:
    """Have cores lose what they have of a page; None while what they stored is on its way."""
    gone = {one for one in state.cached if one.page == number and not keeps(one)}
    if any(
        entry.page == number and entry.frame == one.frame
        for one in gone
        for entry in state.buffers[one.core]
    ):
        return None
    return state._replace(cached=state.cached - gone)


def _with(values: tuple[Values, ...], granule: int, after: Values) -> tuple[Values, ...]:
    return (*values[:granule], after, *values[granule + 1 :])


def _appended(
    buffers: tuple[tuple[Buffered, ...], ...], core: int, one: Buffered
) -> tuple[tuple[Buffered, ...], ...]:
    return (*buffers[:core], (*buffers[core], one), *buffers[core + 1 :])
