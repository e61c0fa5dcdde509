"""Imported threads may run at any speed: only waits keep touches after the maps that they need."""

import random
from itertools import pairwise

import pytest

from actors.guest.program import (
    Access,
    Await,
    Create,
    Exit,
    How,
    Instruction,
    Map,
    Protect,
    Release,
    Reuse,
    Unmap,
)
from cluster.importers.memory.page_set import PageSet
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.strace import import_strace
from cluster.workload.reader import Workload
from kernel.intervals import IntervalMap
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> list[Workload]:
    out = tmp_path_factory.mktemp("w") / "w.hzw"
    source = ROOT / "tests/recordings/snperf_contention_fast.strace.gz"
    import_strace(source, out, ImportOptions(), no_progress)
    return [
        Workload.open(out),
        Workload.open(ROOT / "cluster/shipped/workloads/gitrepack-snmalloc.hzw"),
    ]


class Interleaving:
    """Run the threads of a workload in a random order, on protections alone."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self.workload = workload
        self.chance = random.Random(seed)
        self.prot: IntervalMap[int] = IntervalMap()
        self.at = [0] * len(workload.threads)
        self.running = [number for number, one in enumerate(workload.threads) if one.initial]

    def run(self) -> None:
        while self.running:
            before = sum(self.at)
            for thread in self.chance.sample(self.running, len(self.running)):
                for _ in range(self.chance.choice((1, 7, 100, 2000))):
                    if thread not in self.running or not self.step(thread):
                        break
            assert sum(self.at) > before, "threads wait for each other"

    def step(self, thread: int) -> bool:
        instruction = self.workload.at(thread, self.at[thread])
        if isinstance(instruction, Await) and self.at[instruction.thread] <= instruction.index:
            return False
        if instruction is None or isinstance(instruction, Exit):
            self.running.remove(thread)
        elif isinstance(instruction, Create):
            self.running.append(instruction.thread)
        elif isinstance(instruction, Access):
            self.touch(instruction)
        elif isinstance(instruction, Map | Unmap | Protect | Release | Reuse):
            self.change(instruction)
        self.at[thread] += instruction is not None
        return True

    def touch(self, access: Access) -> None:
        need = 2 if access.write else 1
        for number in range(access.count):
            va = access.va + number * access.stride
            assert (self.prot.value(va >> 12) or 0) & need, f"{access} finds no right"

    def change(self, one: Map | Unmap | Protect | Release | Reuse) -> None:
        start, end = one.va >> 12, (one.va + one.length) >> 12
        if not isinstance(one, Map | Unmap):
            assert not self.prot.gaps(start, end), f"{one} finds nothing mapped"
        if isinstance(one, Map | Protect):
            self.prot.assign(start, end, one.prot)
        elif isinstance(one, Unmap):
            self.prot.remove(start, end)
        elif isinstance(one, Release) and one.how & How.NONE:
            self.prot.assign(start, end, 0)
        elif isinstance(one, Reuse) and one.how & How.OPEN:
            self.prot.assign(start, end, 3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_interleaving_finds_its_memory(workloads: list[Workload], seed: int) -> None:
    for workload in workloads:
        interleaving = Interleaving(workload, seed)
        interleaving.run()
        lengths = [workload.length(number) for number in range(len(workload.threads))]
        assert interleaving.at == lengths


def test_without_waits_some_interleaving_does_not(workloads: list[Workload]) -> None:
    class Careless(Interleaving):
        def step(self, thread: int) -> bool:
            instruction: Instruction | None = self.workload.at(thread, self.at[thread])
            if isinstance(instruction, Await):
                self.at[thread] += 1
                return True
            return super().step(thread)

    def run_some() -> None:
        for seed in range(20):
            Careless(workloads[0], seed).run()

    with pytest.raises(AssertionError, match="finds no"):
        run_some()


@pytest.mark.parametrize("seed", range(20))
def test_intervals_are_what_a_plain_map_is(seed: int) -> None:
    chance, plain, intervals = random.Random(seed), {}, IntervalMap[str]()
    pages = PageSet()
    touched: set[int] = set()
    for _ in range(300):
        start = chance.randrange(60)
        end = start + chance.randrange(12)
        if chance.random() < 0.7:
            value = chance.choice("abc")
            intervals.assign(start, end, value)
            plain.update(dict.fromkeys(range(start, end), value))
        else:
            intervals.remove(start, end)
            for point in range(start, end):
                plain.pop(point, None)
        pieces = intervals.pieces(0, 80)
        assert {p: v for low, high, v in pieces for p in range(low, high)} == plain
        for (_, high, left), (low, _, right) in pairwise(pieces):
            assert high < low or (high == low and left != right)
        gaps = [point for low, high in intervals.gaps(5, 70) for point in range(low, high)]
        assert gaps == [point for point in range(5, 70) if point not in plain]
        assert intervals.value(start) == plain.get(start)
        pages.add_range(start * 97, end * 97)
        touched.update(range(start * 97, end * 97))
        assert len(pages) == len(touched)
