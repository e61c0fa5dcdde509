"""Searches by several workers have the result of one; without Ray but for the last tests."""

from collections.abc import Callable
from hashlib import blake2b
from random import Random

import pytest

from cluster.__main__ import main
from cluster.explore.choices import Chosen, Strategy
from cluster.explore.search import explore
from cluster.explore.strategies.dpor import Dpor, Reduction
from cluster.explore.strategies.stateful import search
from cluster.explore.strategy_api import Run, StopAt, at_first, never
from cluster.explore.workers import sharded_search, shared_orders, shared_traces
from cluster.explore.workers.crew import HereCrew
from cluster.explore.workers.sharded import Taken, Visited
from cluster.explore.workers.shares import share_of
from cluster.explore.workers.trace_part import TracePart
from cluster.scenario.setup import Setup
from tests.cluster.explore.test_explored import SMALL, tiny
from tests.models import generated
from tests.models.mailbox import Program
from tests.models.shootdown import shootdowns, to_all


class Graph:
    """A state of a random graph; some states and ends break a promise."""

    def __init__(self, seed: int, states: int, at: int = 0) -> None:
        self.of = (seed, states)
        self.at = at

    def drawn(self, what: str) -> Random:
        return Random(f"{self.of} {what} {self.at}")

    def enabled(self) -> list[str]:
        return list("abcd"[: self.drawn("width").choice((0, 1, 2, 3)) if self.at else 4])

    def deliver(self, choice: object) -> "Graph":
        return Graph(*self.of, self.drawn(str(choice)).randrange(self.of[1]))

    def fingerprint(self) -> bytes:
        return blake2b(str(self.at).encode(), digest_size=16).digest()

    def broken(self) -> str:
        return self.of_chance("A", "B", percent=self.of[0] % 5)

    def ended(self) -> str:
        return self.of_chance("B", "C", percent=5 * (self.of[0] % 3))

    def of_chance(self, *promises: str, percent: int) -> str:
        drawn = self.drawn("".join(promises))
        return drawn.choice(promises) if drawn.randrange(100) < percent else ""


def only_b(promise: str) -> bool:
    return promise == "B"


def test_breadth_first_gives_the_same_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = set()
    for seed in range(500):
        random = Random(seed)
        states = random.choice((30, 200, 600))
        budget = random.choice((None, None, random.randrange(1, states)))
        stop_at: StopAt = random.choice((at_first, never, only_b))
        monkeypatch.setattr(sharded_search, "FRONTIER", random.choice((1, 2, 10)))
        monkeypatch.setattr(sharded_search, "_BATCH_FIRST", random.choice((1, 3, 20)))
        monkeypatch.setattr(sharded_search, "_BATCH_S", random.choice((0.4, 1e-5)))
        monkeypatch.setattr(sharded_search, "_LOPSIDED", random.choice(((0, 0), (0.2, 2))))

        def start(of: tuple[int, int] = (seed, states)) -> Graph:
            return Graph(*of)

        workers = [sharded_search.Opening(start) for _ in range(random.randint(1, 5))]
        crew = HereCrew(workers, pick=random.randrange)
        alone = search(start(), budget=budget, stop_at=stop_at)
        shared = sharded_search.sharded_search(start, crew, budget=budget, stop_at=stop_at)
        assert shared == alone, seed
        ends.add((alone.complete, bool(alone.found), budget is None, alone.states > 100))
    assert len(ends) > 8


class Tree:
    """A tree that is wide only below its first branch: there is one way to each state."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    def enabled(self) -> list[str]:
        if len(self.path) == 8:
            return []
        return list("abc" if self.path[:1] in ("", "a") else "a")

    def deliver(self, choice: object) -> "Tree":
        return Tree(self.path + str(choice))

    def fingerprint(self) -> bytes:
        return blake2b(self.path.encode(), digest_size=16).digest()

    def broken(self) -> str:
        return ""

    def ended(self) -> str:
        return "A" if self.path in ("acacacac", "abcabcab") else ""


def test_breadth_first_moves_states_from_busy_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharded_search, "FRONTIER", 1)
    monkeypatch.setattr(sharded_search, "_LOPSIDED", (0.2, 8))
    visited: list[int] = []

    class Counting(sharded_search.Opening):
        def visit(self, taken: Taken, until: int) -> Visited:
            found = super().visit(taken, until)
            visited.append(found.transitions)
            return found

    crew = HereCrew([Counting(Tree) for _ in range(3)])
    states = sharded_search.sharded_search(Tree, crew, stop_at=never)
    assert states == search(Tree(), stop_at=never)
    assert len(states.found[0].path) == 8
    batches = list(zip(*[iter(visited)] * 3, strict=False))
    assert sum(map(max, batches)) < 0.5 * sum(visited)


def crew_of(setup: Setup, chosen: Chosen, random: Random) -> HereCrew:
    workers = [share_of(setup, chosen) for _ in range(random.randint(2, 4))]
    return HereCrew(workers, pick=random.randrange)


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.PCT, Strategy.DELAY])
def test_orders_are_those_of_one_worker(
    strategy: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = 0
    for seed in range(30):
        random = Random(f"{strategy} {seed}")
        monkeypatch.setattr(shared_orders, "_LOT_S", random.choice((0, 0.01, 1)))
        monkeypatch.setattr(shared_orders, "_LOT_FIRST", random.choice((1, 3, 8)))
        if strategy is not Strategy.PCT:
            monkeypatch.setattr(shared_orders, "FIRST", random.choice((1, 16)))
        name = random.choice(list(SMALL))
        policy, threads, machine = SMALL[name]
        setup = tiny(policy, threads, *random.choice(((), (name,))), **machine)
        budget = random.choice((5, 16, 17, 40, 80))
        chosen = Chosen(
            strategy=strategy,
            seed=seed,
            depth=random.randint(1, 5),
            delays=random.randint(0, 3),
            budget=None if strategy is Strategy.DELAY and seed % 10 == 0 else budget,
            all=random.random() < 0.5,
        )
        if chosen.budget is None:
            chosen = Chosen(strategy=strategy, delays=1)
        alone = explore(setup, chosen)
        assert explore(setup, chosen, crew=crew_of(setup, chosen, random)) == alone, seed
        found += bool(alone.found)
    assert 0 < found < 30


def test_what_was_made_counts_when_a_search_is_stopped() -> None:
    policy, threads, machine = SMALL["free-before-acks"]
    setup, chosen = tiny(policy, threads, **machine), Chosen(strategy=Strategy.RANDOM)
    orders = explore(
        setup, chosen, lambda so_far: so_far.orders < 60, crew=crew_of(setup, chosen, Random(1))
    )
    assert orders.orders >= 60
    assert not orders.complete
    states = Chosen(strategy=Strategy.BFS)
    crew = crew_of(setup, states, Random(1))
    assert explore(setup, states, lambda so_far: so_far.states < 60, crew=crew).states >= 60


def shared(program: Program, random: Random, workers: int) -> shared_traces.Traces:
    def run() -> Run:
        return program.run(coarse=True)

    crew = HereCrew([TracePart(run, at_first) for _ in range(workers)], pick=random.randrange)
    return shared_traces.SharedTraces(run).run(crew)


@pytest.mark.parametrize("make", [generated.talkers, generated.variables])
def test_each_trace_is_run_once(
    make: Callable[[int], Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    for seed in range(100):
        random, program = Random(seed), make(seed)
        alone = Dpor(
            lambda program=program: program.run(coarse=True),
            reduction=Reduction.SOURCE,
            watch=lambda traces: traces.orders < 700,
        ).search()
        if not alone.complete:
            continue
        monkeypatch.setattr(shared_traces, "_ALONE", random.choice((1, 2, 10)))
        monkeypatch.setattr(shared_traces, "_PARTS_S", random.choice((0, 0.0005, 0.002, 1)))
        monkeypatch.setattr(shared_traces, "_PLENTY", random.choice((1, 5, 1000)))
        traces = shared(program, random, random.randint(1, 4))
        assert (traces.orders, traces.complete) == (alone.orders, True), seed
        compared += 1
    assert compared > 50


#: programs with the number of their traces, published or found by running every order
NUMBERS: dict[str, tuple[Callable[[], Program], int]] = {
    "mailboxes": (lambda: to_all(3, 3), 216),
    "acknowledgements": (lambda: shootdowns(1, 5), 120),
    "two initiators": (lambda: shootdowns(2, 3), 288),
    "talkers 92": (lambda: generated.talkers(92), 322),
    "talkers 510": (lambda: generated.talkers(510), 55),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_number_of_traces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_traces, "_ALONE", 3)
    monkeypatch.setattr(shared_traces, "_PARTS_S", 0.001)
    make, number = NUMBERS[name]
    traces = shared(make(), Random(name), 3)
    assert (traces.orders, traces.complete) == (number, True)


@pytest.mark.parametrize(
    ("name", "grain"),
    [
        ("free-before-acks", "fused"),
        ("zero-after-grant", "fused"),
        ("hook-after-early-return", "fused"),
        ("steal-without-waiting", "fine"),
        ("hole-ignores-pins", "fine"),
        ("dma-leaves-clean", "fine"),
    ],
)
def test_number_of_orders_of_a_setup(
    name: str, grain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_traces, "_ALONE", 3)
    monkeypatch.setattr(shared_traces, "_PARTS_S", 0.01)
    policy, threads, machine = SMALL[name]
    setup = tiny(policy, threads, **{**machine, "grain": grain})
    alone = explore(setup, Chosen(reduction=Reduction.SOURCE))
    together = explore(setup, Chosen(), crew=crew_of(setup, Chosen(), Random(name)))
    assert (together.orders, together.complete) == (alone.orders, True)
    assert (together.verdict, together.longest) == (alone.verdict, alone.longest)


def test_traces_stop_at_a_budget_and_at_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_traces, "_ALONE", 3)
    policy, threads, machine = SMALL["free-before-acks"]
    setup, chosen = tiny(policy, threads, **machine), Chosen(budget=50)
    explored = explore(setup, chosen, crew=crew_of(setup, chosen, Random(2)))
    assert (explored.orders, explored.complete) == (50, False)
    setup = tiny(policy, threads, "free-before-acks", **machine)
    (finding,) = explore(setup, Chosen(), crew=crew_of(setup, Chosen(), Random(2))).found
    assert finding.property == "translation"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--strategy", "dfs"], "use --strategy bfs"),
        (["--reduction", "none"], "leave it out"),
        (["--dependency", "footprint"], "leave --dependency footprint out"),
        (["--checkpoint", "my.search"], "leave --checkpoint out"),
    ],
)
def test_what_can_not_be_shared_is_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", "one-page", "--workers", "2", "-q", *options]) == 2
    assert says in capsys.readouterr().err


LIVE = SMALL["free-before-acks"]


@pytest.mark.live
@pytest.mark.filterwarnings("ignore")  # what Ray leaves open in its own process is Ray's
def test_two_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.live.search_crew import RayCrew

    policy, threads, machine = LIVE
    setup = tiny(policy, threads, **machine)
    monkeypatch.setattr(sharded_search, "FRONTIER", 10)  # otherwise it would be over too soon
    for chosen in (
        Chosen(strategy=Strategy.BFS),
        Chosen(strategy=Strategy.RANDOM, seed=3, budget=100),
    ):
        with RayCrew(setup, chosen, 2) as crew:
            explored = explore(setup, chosen, crew=crew)
            assert crew._actors, "it was over before"
        assert explored == explore(setup, chosen)
        assert explored.complete is (chosen.strategy is Strategy.BFS)


@pytest.mark.live
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_dies_ends_the_search() -> None:
    import ray

    from cluster.live.errors import WorkerDiedError
    from cluster.live.search_crew import RayCrew

    policy, threads, machine = LIVE
    setup, chosen = tiny(policy, threads, **machine), Chosen()
    with RayCrew(setup, chosen, 2) as crew:

        def kill(_: object) -> bool:
            for actor in crew._actors[1:]:
                ray.kill(actor, no_restart=True)
            return True

        with pytest.raises(WorkerDiedError, match="the process of worker 1 died, and what"):
            explore(setup, chosen, kill, crew=crew)
