"""The Linux corpus: recorded sequences of memory operations against the simulated machine.

Each operation runs alone, to quiescence, on one set of machines a sequence; what the guest sees
(values, errno, SIGSEGV and where) is compared with what the kernel gave. Two ways of running:

    linux       the recorded calls, under a policy like Linux's
    hole-zero   where the recording emulates HOLE (FREE, PROT_NONE) and ZERO (RW, DONTNEED) by
                tagged pairs of calls, each pair is one real call under fatal-hole; the guest must
                see the same

An operation that the machine does not have yet is not applicable. Where leaving it out changes
nothing that the guest sees, the rest of the sequence is compared all the same; else it ends there.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors.facts import CallEnded, Fact, Segv
from actors.guest.program import (
    Access,
    Advice,
    Advise,
    Fence,
    Instruction,
    Map,
    Protect,
    Think,
    ThreadInfo,
    Unmap,
)
from actors.guest.script import Script
from actors.machine import Effect
from actors.message import Message
from actors.messages import Loaded, Stored
from actors.wiring import build
from cluster.corpus_emulation import Emulation
from cluster.host import Observer
from cluster.inline import InlineHost
from cluster.input_error import InputError
from cluster.properties.checker import Checker
from cluster.scenario import MachineTable, Scenario
from cluster.setup import Setup, prepare
from kernel.errors import Errno, SegvCode
from kernel.stamp import stamp
from kernel.units import PAGE_SIZE

LINUX = "linux"
HOLE_ZERO = "hole-zero"
_POLICIES: dict[str, dict[str, str | int]] = {
    LINUX: {"preset": "dontneed-linux"},
    HOLE_ZERO: {"preset": "fatal-hole", "errors": "linux"},
}
#: page 0 of a sequence's arena
_ARENA = 16
_PROT = {"none": 0, "r": 1, "rw": 3}
_ADVICE = {"FREE": Advice.FREE, "DONTNEED": Advice.DONTNEED}
#: time for everything that an operation has set off
_QUIET_NS = 100_000_000
_SLOT_BYTES = 2048
#: advice that changes nothing a single process sees: hints, what holds for a later fork, and
#: reclaim and population, with and without which the corpus was recorded
_HINTS = frozenset(
    {
        "NORMAL", "WILLNEED", "COLD", "PAGEOUT", "POPULATE_READ", "POPULATE_WRITE",
        "DONTFORK", "DOFORK", "WIPEONFORK", "KEEPONFORK", "BOGUS",
    }
)  # fmt: skip
#: counted so: the recording is of an emulation, which is no more what the calls would do
DEPARTED = "the emulation of HOLE and ZERO departs"
_MERGED = {"hole1": Advice.HOLE, "zero1": Advice.ZERO}
_MERGED_INTO = frozenset({"hole2", "zero2"})

Operation = dict[str, Any]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of which the machine says something else."""

    sequence: str
    index: int
    operation: str
    expected: str
    simulated: str


class Report(msgspec.Struct, kw_only=True):
    """What a corpus gave; counts are operations."""

    agreed: int = 0
    #: of those, loads that gave an alternative: the page had been reclaimed, or had not
    alternatives: int = 0
    differed: list[Difference] = []
    #: by what the machine does not have
    not_applicable: Counter[str] = msgspec.field(default_factory=Counter)
    #: sequences that were compared to their end
    whole_sequences: int = 0
    #: broken promises of the machine itself
    violations: list[str] = []

    def add(self, other: "Report") -> None:
        """Add the counts of another report."""
        self.agreed += other.agreed
        self.alternatives += other.alternatives
        self.differed = [*self.differed, *other.differed]
        self.not_applicable += other.not_applicable
        self.whole_sequences += other.whole_sequences
        self.violations = [*self.violations, *other.violations]


class _Outcomes:
    """An observer: what each operation gave, in the order of the guest's only thread."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        del when, actor
        if isinstance(fact, CallEnded):
            self.seen.append(("call", fact.error, 0))
        elif isinstance(fact, Segv):
            self.seen.append(("segv", fact.code, fact.vpn))

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        del when, dst, src, seq, effects
        if isinstance(message, Loaded):
            self.seen.append(("load", message.stamps[0], 0))
        elif isinstance(message, Stored):
            self.seen.append(("store", 0, 0))


class _Plan:
    """The program of a sequence, and which of its operations are in it."""

    def __init__(self, sequence: dict[str, Any], way: str) -> None:
        self.program: list[Instruction] = []
        self.compared: list[tuple[int, Operation]] = []
        self.not_applicable: Counter[str] = Counter()
        self.values: dict[int, int] = {0: 0}
        self.way = way
        emulation = Emulation()
        operations = sequence["ops"]
        for index, operation in enumerate(operations):
            missing, ends = _missing(operation)
            if not missing and way == HOLE_ZERO:
                emulation.follow(operation)
                missing = DEPARTED if emulation.says_nothing(operation) else ""
            if missing:
                self.not_applicable[missing] += 1
            elif not self._merged(operation):
                self._put(index, operation)
            if ends:
                self.not_applicable[f"after {missing}"] += len(operations) - index - 1
                break

    def _merged(self, operation: Operation) -> bool:
        return self.way == HOLE_ZERO and operation.get("tag") in _MERGED_INTO

    def _put(self, index: int, operation: Operation) -> None:
        if operation["op"] == "w":
            self.values[stamp(0, len(self.program), 0)] = operation["val"]
        self.program.append(self._instruction(operation))
        if operation["op"] == "w":
            self.program.append(Fence())
        self.program.append(Think(_QUIET_NS))
        self.compared.append((index, operation))

    def _instruction(self, operation: Operation) -> Instruction:
        kind = operation["op"]
        va = (_ARENA + operation["pg"]) * PAGE_SIZE
        if kind in ("r", "w"):
            return Access(va + operation["slot"] * _SLOT_BYTES, 1, PAGE_SIZE, kind == "w")
        length = operation["n"] * PAGE_SIZE
        if self.way == HOLE_ZERO and operation.get("tag") in _MERGED:
            return Advise(va, length, _MERGED[operation["tag"]])
        if kind == "map":
            return Map(va, length, _PROT[operation["prot"]])
        if kind == "unmap":
            return Unmap(va, length)
        if kind == "prot":
            return Protect(va, length, _PROT[operation["prot"]])
        return Advise(va, length, _ADVICE[operation["advice"]])


def _missing(operation: Operation) -> tuple[str, bool]:
    """Say what the machine lacks for an operation (or nothing), and if the sequence ends there."""
    kind = operation["op"]
    if kind in ("r", "w"):
        return "", False
    if kind in ("mincore", "kr"):
        return kind, False
    name = f"{kind} {operation['advice']}" if kind == "adv" else kind
    if kind == "map" and operation["kind"] != "priv":
        return "map shared", True
    if operation.get("boff") or operation.get("blen") or operation.get("n") == 0:
        return f"{name} not of whole pages", operation["res"] != "EINVAL"
    if kind == "adv":
        advice = operation["advice"]
        if advice in _ADVICE:
            return "", False
        refused = advice == "REMOVE" and operation["res"] == "EINVAL"  # of private memory
        return name, not refused and advice not in _HINTS
    return ("", False) if kind in ("map", "unmap", "prot") else (name, True)


def _observed(seen: tuple[str, int, int], values: dict[int, int]) -> Operation:
    """Say what the machine gave in the words of the corpus."""
    kind, value, vpn = seen
    if kind == "segv":
        name = "SEGV_MAPERR" if value == SegvCode.MAPERR else "SEGV_ACCERR"
        return {"res": name, "at": vpn - _ARENA}
    if kind == "call":
        return {"res": Errno(value).name if value else "ok"}
    return (
        {"res": "ok", "v": values.get(value, f"stamp {value}")} if kind == "load" else {"res": "ok"}
    )


def _agrees(operation: Operation, got: Operation) -> bool:
    if got["res"] != operation["res"] and got["res"] not in operation.get("altres", ()):
        return False
    if got["res"] != "ok":
        return bool(got.get("at") == operation.get("at"))
    return "v" not in operation or got["v"] in (operation["v"], *operation.get("alt", ()))


def _told(operation: Operation) -> str:
    left_out = ("st", "p", "res", "v", "at", "alt", "altres")
    return " ".join(f"{k}={v}" for k, v in operation.items() if k not in left_out)


def _expected(operation: Operation) -> Operation:
    return {k: operation[k] for k in ("res", "v", "alt", "at", "altres") if k in operation}


def _setup(program: list[Instruction], way: str, *, scarce: bool) -> Setup:
    guest = Script((ThreadInfo("a", 0, 0, initial=True),), (tuple(program),))
    machine = MachineTable(cores=1)
    if scarce:  # whatever is hinted is reclaimed at once, for ever
        machine = MachineTable(cores=1, frames=64, free_wakeup=64, free_target=1 << 20)
    return prepare(Scenario(machine=machine, policy=_POLICIES[way]), "corpus", guest)


def compare(sequence: dict[str, Any], way: str = LINUX, *, scarce: bool = False) -> Report:
    """Run one sequence and compare it.

    scarce: with memory so short that what may be reclaimed is reclaimed at once.
    """
    report = Report()
    plan = _Plan(sequence, way)
    report.not_applicable += plan.not_applicable
    report.whole_sequences = int(not plan.not_applicable)
    setup = _setup(plan.program, way, scarce=scarce)
    machines = build(setup.wiring, setup.settings, setup.guest)
    outcomes, checker = _Outcomes(), Checker(setup, machines)
    observers: tuple[Observer, ...] = (outcomes, checker)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=observers)
    host.start()
    host.run()
    checker.finish(machines, complete=True)
    report.violations = [f"{sequence['id']}: {v.property}: {v.text}" for v in checker.violations]
    for (index, operation), seen in zip(plan.compared, outcomes.seen, strict=True):
        got = _observed(seen, plan.values)
        if _agrees(operation, got):
            report.agreed += 1
            report.alternatives += got.get("v") != operation.get("v")
            continue
        difference = Difference(
            sequence=sequence["id"],
            index=index,
            operation=_told(operation),
            expected=str(_expected(operation)),
            simulated=str(got),
        )
        report.differed = [*report.differed, difference]
    return report


def sequences(path: Path) -> Iterator[dict[str, Any]]:
    """Read a corpus, gzipped or not.

    Raises:
        InputError: it can not be read, or is none.
    """
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        for number, line in enumerate(text.splitlines(), 1):
            found = json.loads(line)
            if not isinstance(found, dict) or not {"id", "ops", "procs"} <= found.keys():
                raise InputError(f"{path}:{number}: is no sequence of the corpus")
            yield found
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e}") from e
    except (ValueError, EOFError) as e:
        raise InputError(f"{path}: is no corpus of JSON lines: {e}") from e


def run(path: Path, way: str = LINUX, *, scarce: bool = False) -> Report:
    """Compare every sequence of a file.

    Raises:
        InputError: as `sequences`.
    """
    report = Report()
    for sequence in sequences(path):
        report.add(compare(sequence, way, scarce=scarce))
    return report
