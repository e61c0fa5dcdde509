"""The Linux corpus: recorded sequences of memory operations against the simulated machine.

A sequence runs on machines of its own, each process as one thread, each operation alone and to
quiescence. What the guest sees (values, errno, residency, SIGSEGV and where) is compared with what
it saw on the kernel. Two ways of running:

    linux       the recorded calls, under a policy like Linux's
    hole-zero   where the recording emulates HOLE (FREE, PROT_NONE) and ZERO (RW, DONTNEED) by
                tagged pairs of calls, each pair is one real call under fatal-hole; the guest must
                see the same
"""

from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from actors.facts import CallEnded, Fact, Residency, Segv
from actors.machine import Effect, Machine
from actors.message import Message
from actors.messages import Loaded, Stored
from actors.wiring import build
from cluster.corpus.corpus_file import sequences
from cluster.corpus.program import (
    ALWAYS,
    ARENA,
    AS_RECORDED,
    HOLE_ZERO,
    LINUX,
    Operation,
    Plan,
)
from cluster.hosts.host import Observer
from cluster.hosts.inline import InlineHost
from cluster.importers.recording.lines import Progress, no_progress
from cluster.properties.checker import Checker
from cluster.scenario.scenario import MachineTable, Scenario
from cluster.scenario.setup import Setup, prepare
from kernel.errors import Errno, SegvCode
from kernel.flush_extent import Kernel

_POLICIES: dict[str, dict[str, str | int]] = {
    # MADV_FREE leaves shared pages alone
    LINUX: {"preset": "dontneed-linux", "shadow_anon": "ignore", "read_fill": "zero-page"},
    HOLE_ZERO: {"preset": "fatal-hole", "errors": "linux", "read_fill": "zero-page"},
}
#: what an operation gave that never ended
NO_ANSWER: Operation = {"res": "no answer"}
_SIGNALS = {SegvCode.MAPERR: "SEGV_MAPERR", SegvCode.OBJECT: "BUS_ADRERR"}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An operation whose outcome on the machine differs from the recorded one."""

    sequence: str
    index: int
    operation: str
    expected: str
    simulated: str


class Report(msgspec.Struct, kw_only=True):
    """The outcome of a corpus; counts are of operations."""

    agreed: int = 0
    #: those of them that gave a recorded alternative: a page had been reclaimed, or had not
    alternatives: int = 0
    differed: list[Difference] = []
    #: operations that are not compared, by what the machine lacks
    not_applicable: Counter[str] = msgspec.field(default_factory=Counter)
    #: sequences that were compared to the end
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
    """An observer: what each process saw, in order."""

    def __init__(self, processes: int) -> None:
        self._seen: list[deque[tuple[str, Any]]] = [deque() for _ in range(processes)]

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        del when, actor
        if isinstance(fact, CallEnded):
            self._seen[fact.op].append(("call", fact.error))
        elif isinstance(fact, Segv):
            self._seen[fact.op].append(("segv", (fact.code, fact.vpn)))
        elif isinstance(fact, Residency):
            self._seen[fact.op].append(("vec", fact.vec))

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        pass

    def delivered(
        self, when: int, dst: int, src: int, seq: int, message: Message, effects: list[Effect]
    ) -> None:
        del when, dst, src, seq, effects
        if isinstance(message, Loaded):
            self._seen[message.op].append(("load", message.stamps[0]))
        elif isinstance(message, Stored):
            self._seen[message.op].append(("store", 0))

    def take(self, process: int, operation: Operation, values: dict[int, int]) -> Operation:
        """Return what the next operation of a process saw, in the format of the corpus."""
        seen = self._seen[process]
        if not seen:
            return NO_ANSWER
        kind, value = seen.popleft()
        got: Operation = {"res": "ok"}
        if kind == "load":
            got["v"] = values.get(value, f"stamp {value}")
        elif kind == "vec":
            got["vec"] = value
        elif kind == "segv":
            code, vpn = value
            return {"res": _SIGNALS.get(code, "SEGV_ACCERR"), "at": vpn - ARENA}
        if operation["op"] not in ("r", "w"):
            if kind in ("load", "vec"):
                kind, value = seen.popleft()
            assert kind == "call", f"{operation} gave {kind} {value}"
            if operation["op"] == "mincore":  # the record has the first n bytes of a cleared buffer
                n = operation["n"]
                got["vec"] = got.get("vec", "").ljust(n, "0")[:n]
            got["res"] = Errno(value).name if value else "ok"
            if operation["op"] == "kw" and not value:
                seen.popleft()  # its store
        return got


def _agrees(operation: Operation, got: Operation) -> bool:
    if got["res"] != operation["res"] and got["res"] not in operation.get("altres", ()):
        return False
    if got["res"] != "ok":
        return bool(got.get("at") == operation.get("at"))
    if "vec" in operation:  # page by page: each may have been reclaimed or not
        known = zip(operation["vec"], *operation.get("altvec", ()), strict=True)
        return all(bit in bits for bit, bits in zip(got["vec"], known, strict=True))
    return "v" not in operation or got["v"] in (operation["v"], *operation.get("alt", ()))


#: Linux keeps adjacent mappings of one kind apart if their pages came from another place or another
#: process (anon_vma), and does not resize a range that spans them. On FreeBSD no caller can see
#: where map entries begin and end: vm_map_try_merge_entries joins like ones, and calls go from
#: entry to entry
KEPT_APART = "mremap across mappings that only Linux keeps apart"


def _kept_apart(operation: Operation, got: Operation) -> bool:
    return (operation["op"], operation["res"], got["res"]) == ("remap", "EFAULT", "ok")


def _told(operation: Operation) -> str:
    return " ".join(f"{k}={v}" for k, v in operation.items() if k not in _RESULTS)


def _expected(operation: Operation) -> Operation:
    return {k: operation[k] for k in _RESULTS if k in operation and k != "st"}


_RESULTS = ("st", "res", "v", "vec", "alt", "at", "altres", "altvec")


def _setup(plan: Plan, way: str, reclaim: str) -> Setup:
    machine = MachineTable(cores=len(plan.programs), kernel=Kernel.LINUX)
    if reclaim == ALWAYS:  # whatever is hinted is reclaimed at once, forever
        machine = msgspec.structs.replace(machine, frames=256, free_wakeup=256, free_target=1 << 20)
    return prepare(Scenario(machine=machine, policy=_POLICIES[way]), "corpus", plan.guest())


def compare(
    sequence: dict[str, Any], way: str = LINUX, *, reclaim: str = AS_RECORDED, seed: int = 0
) -> Report:
    """Run one sequence and compare it.

    reclaim: when reclaimable pages are reclaimed; seed: for RANDOM.
    """
    report = Report()
    plan = Plan(sequence, way, reclaim, seed)
    report.not_applicable += plan.not_applicable
    report.whole_sequences = int(not plan.not_applicable)
    setup = _setup(plan, way, reclaim)
    machines = build(setup.wiring, setup.settings, setup.guest)
    outcomes, checker = _Outcomes(len(plan.programs)), Checker(setup)
    observers: tuple[Observer, ...] = (outcomes, checker)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=observers)
    host.start()
    host.run()
    checker.finish(complete=True)
    report.violations = [f"{sequence['id']}: {v.property}: {v.text}" for v in checker.violations]
    for place, (index, process, operation) in enumerate(plan.compared):
        got = outcomes.take(process, operation, plan.values)
        if index < 0:
            continue
        if _agrees(operation, got):
            report.agreed += 1
            report.alternatives += any(
                got.get(k) != operation[k] for k in ("v", "vec") if k in operation
            )
            continue
        if _kept_apart(operation, got):
            report.not_applicable[KEPT_APART] += 1
            left = sum(index >= 0 for index, _, _ in plan.compared[place + 1 :])
            report.not_applicable[f"after: {KEPT_APART}"] += left
            report.whole_sequences = 0
            break
        difference = Difference(
            sequence=sequence["id"],
            index=index,
            operation=_told(operation),
            expected=str(_expected(operation)),
            simulated=str(got),
        )
        report.differed = [*report.differed, difference]
        if got is NO_ANSWER:
            break
    return report


def run(
    path: Path,
    way: str = LINUX,
    *,
    reclaim: str = AS_RECORDED,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Report:
    """Compare every sequence of a file; under HOLE_ZERO, only those that emulate the calls.

    progress: called with bytes read and bytes to read, both on disk.

    Raises:
        InputError: as `sequences`.
    """
    report = Report()
    for sequence in sequences(path, progress):
        if way == LINUX or any("tag" in operation for operation in sequence["ops"]):
            report.add(compare(sequence, way, reclaim=reclaim, seed=seed))
    return report
