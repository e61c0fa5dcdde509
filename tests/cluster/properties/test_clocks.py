"""Clocks say what happened before what, however they are stored."""

from random import Random

import pytest

from cluster.explore.strategies.stateful import search
from cluster.explore.strategy_api import never
from cluster.explore.world import World
from cluster.properties import clock
from cluster.properties.clock import NARROW_MOST, At, NarrowClock, WideClock, before_all
from cluster.properties.clocks import Clocks, clocks_of
from tests.cluster.explore.test_explored import SMALL, tiny
from tests.cluster.properties.test_properties_linear import HAZARDS, setup_of
from tests.support.linear_extensions import record

#: one row and several, full and not
ACTORS = [2, 7, NARROW_MOST, NARROW_MOST + 1, 64, 65, 200]


def _send(clocks: Clocks, src: int, dst: int) -> None:
    """Send a message in the latest event of an actor, as the checker notes it."""
    counts = clocks.counts(src)
    clocks.in_flight[src, dst, counts[dst]] = clocks.now[src]
    counts[dst] += 1


@pytest.mark.parametrize("actors", ACTORS)
def test_a_clock_counts_what_happened_before(actors: int) -> None:
    """As a plain comparison of all counts does, which clocks do without."""
    random, clocks = Random(actors), clocks_of(actors)
    plain = [[0] * actors for _ in range(actors)]
    in_flight: list[tuple[int, int, int, list[int]]] = []
    sent: dict[tuple[int, int], int] = {}

    def send(src: int) -> None:
        for _ in range(random.choice((0, 1, 2, 5))):
            dst = random.choice((src, random.randrange(actors), random.randrange(min(4, actors))))
            seq = sent.get((src, dst), 0)
            sent[src, dst] = seq + 1
            in_flight.append((src, dst, seq, plain[src].copy()))
            _send(clocks, src, dst)

    for actor in range(actors):
        send(actor)
    for _ in range(1_000):
        if not in_flight:
            break
        src, dst, seq, told = in_flight.pop(random.randrange(len(in_flight)))
        now, sending = clocks.receive(dst, src, seq)
        assert [sending.latest(actor).number for actor in range(actors)] == told
        plain[dst] = list(map(max, plain[dst], told))
        plain[dst][dst] += 1
        assert [now.latest(actor).number for actor in range(actors)] == plain[dst]
        for actor in (src, dst, random.randrange(actors)):
            assert now.knows(At(actor, plain[dst][actor]))
            assert not now.knows(At(actor, plain[dst][actor] + 1))
        send(dst)


def test_many_actors_have_wide_clocks() -> None:
    assert isinstance(before_all(NARROW_MOST), NarrowClock)
    assert isinstance(before_all(NARROW_MOST + 1), WideClock)


@pytest.mark.parametrize("actors", ACTORS)
def test_ranks_of_events(actors: int) -> None:
    clocks = clocks_of(actors)
    for seq in range(5):
        _send(clocks, 0, 1)
        clocks.receive(1, 0, seq)
    assert clocks.now[1].ranks([(0, [1]), (1, [2, 5, 9])]) == (0, 2)


def test_a_copy_goes_on_by_itself() -> None:
    clocks = clocks_of(3)
    _send(clocks, 0, 1)
    twin = clocks.copy()
    for one in (clocks, twin):
        _send(one, 0, 1)
        _send(one, 0, 2)
        assert sorted(one.in_flight) == [(0, 1, 0), (0, 1, 1), (0, 2, 0)]
        one.receive(1, 0, 0)
        assert [one.now[1].latest(actor).number for actor in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("name", HAZARDS)
def test_verdicts_do_not_depend_on_the_width(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = setup_of(name, correct=False)
    narrow = record(setup)[1:]
    monkeypatch.setattr(clock, "NARROW_MOST", 0)
    assert record(setup)[1:] == narrow


def test_nor_do_states(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, threads, machine = SMALL["foreign-frame"]
    setup = tiny(policy, threads, **machine)
    narrow = search(World(setup), budget=2_000, stop_at=never)
    monkeypatch.setattr(clock, "NARROW_MOST", 0)
    wide = search(World(setup), budget=2_000, stop_at=never)
    assert (wide.states, wide.transitions) == (narrow.states, narrow.transitions)
