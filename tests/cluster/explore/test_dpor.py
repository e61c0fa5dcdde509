"""Partial-order reduction: published numbers of traces, and agreement with no reduction."""

from collections.abc import Callable
from math import factorial

import pytest

from cluster.explore.strategies.dpor import Dpor, Reduction, Traces
from cluster.explore.strategies.happens import Past
from tests.models import generated
from tests.models.filesystem import filesystem
from tests.models.mailbox import Program
from tests.models.shared_memory import (
    adds,
    indexer,
    lastzero,
    loads_and_stores,
    readers,
    store_and_swaps,
    stores_and_adds,
    stores_and_loads,
    swaps,
    thrice,
    writes_and_reads,
)
from tests.models.shootdown import one_by_one, shootdowns, to_all

REDUCED = (Reduction.SOURCE, Reduction.OPTIMAL)
#: name -> program, its numbers of traces: n -> traces
PUBLISHED: dict[str, tuple[Callable[[int], Program], dict[int, int]]] = {
    # GenMC, tests/correct/synthetic; Concuerror, tests/suites/dpor_tests
    "readers": (readers, {n: 2**n for n in (2, 6, 8)}),
    "lastzero": (lastzero, {n: (n + 3) * 2 ** (n - 2) for n in (3, 5, 7)}),
    "indexer": (indexer, {n: 8 ** (n - 11) for n in (11, 12, 13)}),
    # without receive patterns: the order in which a lock is asked for counts
    "filesystem": (filesystem, {n: 4 ** (n - 13) for n in (13, 14, 15, 16)}),
    "ainc": (adds, {n: factorial(n) for n in (3, 5)}),
    "binc": (writes_and_reads, {n: factorial(n) ** 2 for n in (2, 3, 4)}),
    "cas": (swaps, {n: n for n in (3, 5)}),
    "inc": (loads_and_stores, {n: factorial(n) ** 2 for n in (2, 3, 4)}),
    "rw": (stores_and_loads, {n: factorial(n) ** 2 for n in (2, 3, 4)}),
    "cinc": (thrice, {n: factorial(n) ** 3 for n in (2, 3)}),
    "wainc": (stores_and_adds, {n: factorial(n + 1) for n in (2, 3, 4)}),
    "wcas": (store_and_swaps, {n: n * 2 ** (n - 1) + 1 for n in range(2, 8)}),
    # messages: K senders to W receivers (3 to n); acknowledgements of a shootdown in any order
    "mailboxes": (lambda n: to_all(3, n), {n: 6**n for n in (1, 2, 3)}),
    "acknowledgements": (lambda n: shootdowns(1, n), {n: factorial(n) for n in (2, 3, 4, 5)}),
    "two initiators": (
        lambda n: shootdowns(2, n), {n: 2**n * factorial(n) ** 2 for n in (1, 2, 3)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize(
    ("name", "n"), [(name, n) for name, (_, counts) in PUBLISHED.items() for n in counts]
)
def test_number_of_traces_is_the_published_one(name: str, n: int, reduction: Reduction) -> None:
    program, counts = PUBLISHED[name]
    traces = Dpor(program(n).run, reduction=reduction).search()
    assert traces.complete
    assert traces.orders == counts[n]
    if reduction is Reduction.OPTIMAL:
        assert traces.blocked == 0


#: if all deliveries to a receiver are taken to depend, so that reads and failed swaps count, too
COARSE: dict[str, tuple[Callable[[int], Program], Callable[[int], int]]] = {
    "readers": (readers, lambda n: factorial(n + 1)),
    "ainc": (adds, factorial),
    "cas": (swaps, factorial),
    "wainc": (stores_and_adds, lambda n: factorial(n + 1)),
    "wcas": (store_and_swaps, lambda n: factorial(n + 1)),
    # each has two at one receiver, in order
    "inc": (loads_and_stores, lambda n: factorial(2 * n) // 2**n),
    "rw": (stores_and_loads, lambda n: factorial(2 * n) // 2**n),
}


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("name", COARSE)
def test_number_depends_on_what_depends_on_what(name: str, n: int) -> None:
    program, traces = COARSE[name]
    assert Dpor(lambda: program(n).run(coarse=True)).search().orders == traces(n)


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize(("cores", "traces"), [(1, 2), (2, 14), (3, 204), (4, 5016)])
def test_interrupts_one_by_one_in_order(cores: int, traces: int, reduction: Reduction) -> None:
    """Concuerror: two orders of acknowledgements contradict those of interrupts, 14 and not 16."""
    search = Dpor(one_by_one(2, cores).run_in_order, reduction=reduction).search()
    assert search.complete
    assert search.orders == traces


@pytest.mark.parametrize("cores", [2, 3, 4, 5])
def test_acknowledgements_into_a_set_commute(cores: int) -> None:
    traces = Dpor(shootdowns(1, cores, selective=True).run).search()
    assert traces.orders == 1


def every_trace(
    program: Program, reduction: Reduction, *, coarse: bool
) -> tuple[Traces, list[object]]:
    found: list[object] = []

    def ended(past: Past) -> None:
        of = {name: search.identity(name) for name, _ in past.trace()}
        found.append(
            frozenset((of[name], frozenset(of[b] for b in before)) for name, before in past.trace())
        )

    search = Dpor(
        lambda: program.run(coarse=coarse),
        reduction=reduction,
        ended=ended,
        watch=lambda traces: traces.orders < 1500,
    )
    return search.search(), found


@pytest.mark.parametrize("coarse", [True, False], ids=["coarse", "fine"])
@pytest.mark.parametrize("make", [generated.talkers, generated.variables])
def test_reduced_search_runs_each_trace_once(make: Callable[[int], Program], coarse: bool) -> None:
    compared = 0
    for seed in range(40):
        program = make(seed)
        unreduced, all_orders = every_trace(program, Reduction.NONE, coarse=coarse)
        if not unreduced.complete:
            continue
        compared += 1
        for reduction in REDUCED:
            traces, found = every_trace(program, reduction, coarse=coarse)
            assert set(found) == set(all_orders), seed
            assert len(found) == len(set(found)), seed
            assert traces.complete
            # what an event touches may depend on the state in which it comes: then some block
            blocked = 0 if coarse else 1
            assert reduction is Reduction.SOURCE or traces.blocked <= blocked
    assert compared > 15


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize(("seed", "traces"), [(66, 501), (92, 322), (510, 55)])
def test_old_races_are_reversed_before_another_tail(
    seed: int, traces: int, reduction: Reduction
) -> None:
    """Wakeup trees once lost traces of these; the numbers are those of running every order."""
    assert Dpor(generated.talkers(seed).run, reduction=reduction).search().orders == traces
