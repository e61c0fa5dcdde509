"""Datadriven scripts: verbs over one `World`, and the transcript of what they answer.

A script is a text file of blocks, as in etcd's raft:

    # comment
    verb
    ----
    answer

A line that starts with `#` is a comment. Verbs that only set something up may stand before one
that answers; otherwise a block has one verb, and `pytest tests/test_scripts.py --rewrite` cuts up
what has more. A `thread` takes the lines after it, up to the end of the block, as its program. An
empty line ends the answer. Verbs:

    machine [KEY=VALUE]...    policy [preset=P] [KEY=VALUE]...    hazards [NAME]...    start
    thread NAME [core=N] [process=N] [initial=no]
    deliver CHANNEL [N]       the head of a channel (N times); CHANNEL is `core0->vm0/a`, without
                              the lane where only one lane has a message; timers are `timer:core0/a`
    settle [until=[LANE:]WHAT] [except=PATTERN,...] [verbose] [show=MESSAGE,...]
           [count=MESSAGE,...]
                              deliver in a fixed order (lowest channel first, timers last) until
                              nothing else is enabled, or until WHAT is in flight: a message, or
                              the step `HOLE.take_pages` of an operation; say how many were
                              delivered of each MESSAGE
    state [ACTOR]...    tlb CORE    pages    frames MEMORY    pending    properties
    explore [budget=N]        search all orders of the setup

A script may be started anew with another `machine`. Patterns are shell patterns over channels.

How to read the answers: `core0->vm0/a` is a channel, from core0 to vm0, of thread a. `f0` is a
frame, `o1@a.0` page 0 of the first object that a made, `a#4.2` what element 2 of a's instruction 4
stored, `0` zero, `junk` what a frame holds at first. The bits of an entry `f0:PWADU` are present,
writable, accessed, dirty, for the user; a dash is a bit that is not set.
"""

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from actors.core.machine import Core
from actors.hardware.memory import Memory
from actors.machine import Machine
from actors.vm.machine import Vm
from cluster.explore.state import State
from cluster.explore.strategies.stateful import search
from cluster.explore.world import World
from cluster.hosts.channel import TIMER, Channel, in_fixed_order
from cluster.properties.violation import Violation
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from tests.support.hole_rows import Row, watched
from tests.support.script_answers import (
    broken,
    broken_protocol,
    deliveries,
    explored,
    settled,
    told,
    unpromised,
)
from tests.support.script_blocks import SEPARATOR, ScriptFileError, blocks
from tests.support.script_text import Words

_ENOUGH = 100_000


class Bench:
    """One script being run."""

    def __init__(self) -> None:
        self._world: World | None = None
        self._words: Words | None = None
        self.hits: set[Row] = set()
        self._set_up([])

    def run(self, text: str) -> str:
        """Run a script; return it one verb a block, with the answers that it has now."""
        done = []
        found, rest = blocks(text)
        for block in (piece for whole in found for piece in whole.by_verb()):
            out: list[str] = []
            for command, program in block.commands():
                out += self.execute(command, program)
            done += [*block.lines, SEPARATOR, *(out or ["ok"]), ""]
        return "\n".join([*done, *rest]).rstrip("\n") + "\n"

    def execute(self, command: str, program: list[str]) -> list[str]:
        """Run one command."""
        verb, *words = command.split()
        function = _COMMANDS.get(verb)
        if function is None:
            raise ScriptFileError(f"{command!r}: there are {', '.join(sorted(_COMMANDS))}")
        try:
            if verb == "thread":
                return self._thread(words, program)
            with watched(self.hits if verb != "explore" else set()):
                return function(self, words)
        except ScriptFileError:
            raise
        except Exception as e:
            raise ScriptFileError(f"{command!r}: {type(e).__name__}: {e}") from e

    # Setting up.

    def _set_up(self, words: list[str]) -> list[str]:
        machine: dict[str, Any] = {"cores": 2, "grain": "fine"}
        machine |= _keys(words)
        self._data: dict[str, Any] = {
            "machine": machine, "policy": {}, "thread": [], "run": {"hazards": []}
        }  # fmt: skip
        self._world = None
        return []

    def _policy(self, words: list[str]) -> list[str]:
        self._data["policy"] = _keys(words)
        return []

    def _hazards(self, words: list[str]) -> list[str]:
        self._data["run"]["hazards"] = words
        return []

    def _thread(self, words: list[str], program: list[str]) -> list[str]:
        name, *rest = words
        row: dict[str, Any] = {"name": name, "run": [line.strip() for line in program]}
        for key, value in map(_pair, rest):
            row[key] = value != "no" if key == "initial" else int(value)
        self._data["thread"].append(row)
        return []

    def setup(self) -> Setup:
        """Return the setup as the commands so far describe it."""
        return prepare(parse(self._data, "script"))

    def _start(self, _words: list[str]) -> list[str]:
        setup = self.setup()
        self._world, self._words = World(setup), Words(setup)
        return []

    @property
    def world(self) -> World:
        """Return the state as it is now."""
        if self._world is None:
            raise ScriptFileError("nothing was started")
        return self._world

    @property
    def words(self) -> Words:
        """Return the names."""
        assert self._words is not None
        return self._words

    # Delivering.

    def _step(self, channel: Channel) -> tuple[list[str], list[str]]:
        """Deliver; return the lines of what was delivered and sent, and those of what broke."""
        before, words = self.world, self.words
        (_, message), *_ = before.channels[channel]
        text = words.message(message, before.machines[channel[0]])
        lines = [f"delivered {words.channel(channel)} {text}"]
        after = self._world = before.deliver(channel)
        for c in in_fixed_order(after.channels):
            held = after.channels[c]
            old = len(before.channels.get(c, ())) - (c == channel)
            to = after.machines[c[0]]
            lines += [f"  sent {words.channel(c)} {words.message(m, to)}" for _, m in held[old:]]
        new = broken(after.checker.violations[len(before.checker.violations) :])
        return lines, new + broken_protocol(after.error)

    def _deliver(self, words: list[str]) -> list[str]:
        lane = [w.removeprefix("lane=") for w in words if w.startswith("lane=")]
        name, *count = [w for w in words if not w.startswith("lane=")]
        name = f"{name}/{lane[0]}" if lane else name
        out = []
        for _ in range(int(count[0]) if count else 1):
            lines, new = self._step(self._channel(name))
            out += [*lines, *new]
        return out

    def _channel(self, name: str) -> Channel:
        shown = {self.words.channel(c): c for c in self.world.enabled()}
        found = [c for text, c in shown.items() if name in (text, text.partition("/")[0])]
        if len(found) != 1:
            raise ScriptFileError(f"{name!r} is {len(found)} of {', '.join(shown)}")
        return found[0]

    def _settle(self, words: list[str]) -> list[str]:
        options = dict(_pair(w) for w in words if "=" in w)
        patterns = options.get("except", "").split(",") if "except" in options else []
        until, verbose = options.get("until"), "verbose" in words
        show = options.get("show", "").split(",")
        counts = dict.fromkeys(options["count"].split(",") if "count" in options else [], 0)
        out: list[str] = []
        count = 0
        while not self.world.error and not (until and self._in_flight(until)):
            channel = self._next(patterns)
            if channel is None:
                break
            count += 1
            kind = type(self.world.channels[channel][0][1]).__name__
            lines, new = self._step(channel)
            if kind in counts:
                counts[kind] += 1
            out += lines if verbose or kind in show else []
            out += [text for text in new if text not in out]
            if count > _ENOUGH:
                raise ScriptFileError("does not settle")
        if until and not self._in_flight(until):
            pending = "\n".join(self._pending([]))
            raise ScriptFileError(f"no {until} in {count} deliveries; in flight:\n{pending}")
        out += settled(count, until, quiet=not self.world.channels, counts=counts)
        return [*out, *self._at_rest(self.world.checker.violations)]

    def _in_flight(self, name: str) -> bool:
        lane, _, what = name.rpartition(":")
        for (dst, _, op), held in self.world.channels.items():
            if lane in ("", self.words.lane(op)):
                for _, m in held:
                    text = self.words.message(m, self.world.machines[dst])
                    if what in text.split()[:2]:
                        return True
        return False

    def _next(self, patterns: list[str]) -> Channel | None:
        """Choose the lowest channel that is not held back; timers only if there is no other."""
        timers = None
        for c in self.world.enabled():
            if any(self._matches(c, p) for p in patterns):
                continue
            if c[1] != TIMER:
                return c
            timers = timers or c
        return timers

    def _matches(self, channel: Channel, pattern: str) -> bool:
        name = self.words.channel(channel)
        return fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[0], pattern)

    # Looking.

    def _at_rest(self, known: list[Violation]) -> list[str]:
        """Return what a quiet world breaks besides: progress, and every frame in one place."""
        if self.world.channels:
            return []
        checker = self.world.checker.copy(self.world.machines)
        checker.finish(complete=True)
        return broken(checker.violations[len(known) :])

    def _properties(self, _words: list[str]) -> list[str]:
        checker = self.world.checker
        found = broken(checker.violations) + self._at_rest(checker.violations)
        found += broken_protocol(self.world.error)
        return [*(found or ["every promise holds"]), *unpromised(checker.broken_unpromised)]

    def _machine(self, name: str) -> Machine:
        return self.world.machines[self.words.setup.wiring.id_of(name)]

    def _state(self, words: list[str]) -> list[str]:
        names = words or self.words.setup.wiring.names
        return [f"{n} {row}" for n in names for row in self.words.machine(self._machine(n))]

    def _tlb(self, words: list[str]) -> list[str]:
        core = self._machine(words[0])
        assert isinstance(core, Core)
        return [f"{words[0]} {row}" for row in self.words.tlb(core)]

    def _pages(self, _words: list[str]) -> list[str]:
        vms = [m for m in self.world.machines if isinstance(m, Vm)]
        return [row for vm in vms for row in self.words.pages(vm)]

    def _frames(self, words: list[str]) -> list[str]:
        memory = self._machine(words[0])
        assert isinstance(memory, Memory)
        return [f"{words[0]} {row}" for row in self.words.frames(memory)]

    def _pending(self, _words: list[str]) -> list[str]:
        rows = []
        for c in self.world.enabled():
            held = self.world.channels[c]
            more = f", and {len(held) - 1} more" if len(held) > 1 else ""
            text = self.words.message(held[0][1], self.world.machines[c[0]])
            rows.append(f"in flight {self.words.channel(c)} {text}{more}")
        return rows or ["nothing is in flight"]

    def _explore(self, words: list[str]) -> list[str]:
        options = dict(map(_pair, words))
        setup = self.setup()
        # from the state that the script has come to, if it has started
        start = self._world or World(setup)
        seen: set[str] = set()

        def ended(state: State) -> None:
            assert isinstance(state, World)
            seen.update(state.checker.broken_unpromised)

        budget = int(options.get("budget", "20000"))
        states = search(start, budget=budget, ended=ended)
        out = [explored(states.states, complete=states.complete)]
        names = Words(setup)
        for found in states.found:
            violation = start.follow(found.path).violation()
            assert violation is not None
            out.append(f"broken after {deliveries(len(found.path))}: {told(violation)}")
            if "path" in options:
                out += [f"  {names.channel(c)}" for c in found.path]
        return out + [f"not promised: {name}, broken" for name in sorted(seen)]


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise ScriptFileError(f"{word!r}: write key=value")
    return key, value


def _keys(words: list[str]) -> dict[str, Any]:
    return {k: int(v) if v.isdigit() else v == "true" or v for k, v in map(_pair, words)}


_COMMANDS: dict[str, Callable[[Bench, list[str]], list[str]]] = {
    "machine": Bench._set_up,
    "policy": Bench._policy,
    "hazards": Bench._hazards,
    "thread": lambda bench, words: bench._thread(words, []),
    "start": Bench._start,
    "deliver": Bench._deliver,
    "settle": Bench._settle,
    "state": Bench._state,
    "tlb": Bench._tlb,
    "pages": Bench._pages,
    "frames": Bench._frames,
    "pending": Bench._pending,
    "properties": Bench._properties,
    "explore": Bench._explore,
}


if __name__ == "__main__":
    sys.stdout.write(Bench().run(Path(sys.argv[1]).read_text(encoding="utf-8")))
