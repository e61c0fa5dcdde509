"""Where actors are, and what distance costs."""

from itertools import product
from typing import Any

import pytest

from actors.latency import LatencyTable
from actors.wiring import Shape, build, wire
from cluster.hosts.inline import InlineHost
from cluster.input_error import InputError
from cluster.properties.checker import Checker
from cluster.results.meter import Results
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare

FAR = {"other_domain_ns": 7, "other_socket_ns": 100}


def setup_of(machine: dict[str, Any], threads: list[dict[str, Any]], **more: object) -> Setup:
    return prepare(parse({"machine": machine, "thread": threads, **more}, "here"))


def thread(name: str, core: int, *run: str, **more: object) -> dict[str, Any]:
    return {"name": name, "core": core, "run": list(run), **more}


def run(setup: Setup) -> tuple[Results, int]:
    machines = build(setup.wiring, setup.settings, setup.guest)
    results, checker = Results(), Checker(setup)
    host = InlineHost(
        setup.wiring, machines, setup.latency(), observers=(checker,), listeners=(results,)
    )
    host.start()
    assert host.run()
    checker.finish(complete=True)
    assert checker.violations == []
    return results, host.now


def test_cores_are_in_blocks_and_every_domain_has_its_own() -> None:
    wiring = wire(Shape(cores=8, sockets=2, domains=4, zeroers=2), homes=[5])
    where = {name: (wiring.domains[i], wiring.sockets[i]) for i, name in enumerate(wiring.names)}
    assert [where[f"core{i}"] for i in range(8)] == [(i // 2, i // 4) for i in range(8)]
    assert where["vm0"] == (2, 1)
    for role, each in (("memory", 1), ("pagedaemon", 1), ("zeroer", 2)):
        found = [place for name, place in where.items() if name.startswith(role)]
        assert found == [(d, d // 2) for d in range(4) for _ in range(each)]


def test_latency_grows_with_distance_and_is_above_zero_for_all_that_may_send() -> None:
    threads = [thread("a", 0, "load 1")]
    setup = setup_of({"cores": 8, "sockets": 2, "domains": 4}, threads, latencies=FAR)
    table, near = setup.latency(), setup.profile.latencies
    assert [table.ns(0, core) - near.core_core_ns for core in (1, 2, 4)] == [0, 7, 100]
    assert table.ns(0, 0) == near.self_ns
    memories = setup.wiring.memories
    assert [table.ns(0, m) - near.core_memory_ns for m in memories] == [0, 7, 100, 100]
    for a, b in product(range(len(setup.wiring.names)), repeat=2):
        assert bool(table.ns(a, b)) == bool(table.ns(b, a))


def test_latency_does_not_depend_on_how_many_there_are() -> None:
    small = wire(Shape(cores=2, domains=1), homes=[0])
    large = wire(Shape(cores=16, sockets=2, domains=4), homes=[0])
    near = setup_of({"cores": 1}, [thread("a", 0, "load 1")], latencies=FAR).profile.latencies
    for one, other in (("core0", "core1"), ("core0", "vm0"), ("vm0", "memory0")):
        found = {LatencyTable(w, near).ns(w.id_of(one), w.id_of(other)) for w in (small, large)}
        assert len(found) == 1


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ({"cores": 6, "domains": 4}, "machine.cores=6 can not be shared out equally"),
        ({"cores": 6, "sockets": 2, "domains": 3}, "machine.domains=3 can not be shared out"),
        ({"cores": 4, "sockets": 2}, "machine.domains=1 can not be shared out"),
        ({"cores": 4, "sockets": 0}, "sockets"),
    ],
)
def test_an_impossible_shape_is_refused(machine: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        setup_of(machine, [thread("a", 0, "load 1")])


def frames_of(setup: Setup) -> list[int]:
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency())
    host.start()
    host.run()
    return [machines[m].fresh for m in setup.wiring.memories]  # type: ignore[attr-defined]


def test_a_page_gets_its_frame_where_it_is_first_touched() -> None:
    threads = [
        thread("a", 1, "map 1 8", "store 1 3", "create b", "await b 0"),
        thread("b", 2, "store 4 5", initial=False),
    ]
    machine = {"cores": 4, "domains": 2}
    assert frames_of(setup_of(machine, threads)) == [3, 5]
    assert frames_of(setup_of({**machine, "frames": 4}, threads)) == [4, 4]


def shootdown_ns(target: int, **machine: int) -> int:
    threads = [
        thread("a", 0, "map 1 1", "store 1", "create b", "think 9000", "protect 1 1 none"),
        thread("b", target, "load 1", "think 90000", initial=False),
    ]
    costs = {"ipi_send_ns": 200, "ipi_send_other_socket_ns": 280}
    results, _ = run(setup_of({"cores": 4, **machine}, threads, costs=costs, latencies=FAR))
    wait = results.shootdown_wait.spread().total_ns
    assert wait is not None
    return wait


def test_an_interrupt_costs_more_the_farther_it_goes() -> None:
    near = shootdown_ns(1, domains=2)
    assert shootdown_ns(2, domains=2) == near + 2 * 7
    assert shootdown_ns(2, domains=2, sockets=2) == near + 2 * 100 + 280


def test_holes_in_all_domains_keep_every_promise() -> None:
    rows = [
        thread(f"t{i}", i, f"map {i * 64} 32", f"store {i * 64} 32", *_rounds(i)) for i in range(4)
    ]
    machine = {"cores": 4, "sockets": 2, "domains": 2, "zeroers": 2, "frames": 96}
    results, _ = run(setup_of(machine, rows, latencies=FAR))
    assert results.metrics().pages_zeroed["background"] > 0


def _rounds(own: int) -> list[str]:
    rows = []
    for _ in range(4):
        rows += [f"hole {own * 64} 32", "think 20000", f"zero {own * 64} 32"]
        rows += [f"store {own * 64} 32", f"load {own * 64} 16"]
    return rows


def test_settings_and_wiring_agree_where_initiators_are() -> None:
    setup = setup_of(
        {"cores": 8, "sockets": 2, "domains": 4, "zeroers": 2}, [thread("a", 0, "load 1")]
    )
    wiring = setup.wiring
    initiators = (*range(wiring.cores), *wiring.daemons, *wiring.zeroers)
    found = [setup.settings.domain_of(one) for one in initiators]
    assert found == [wiring.domains[one] for one in initiators]


def test_a_transfer_needs_its_device() -> None:
    told = "machine.devices=1: set machine.devices=3"
    with pytest.raises(InputError, match=told):
        setup_of({"devices": 1}, [thread("a", 0, "dma-read 1 device:2")])


def test_devices_are_spread_over_the_domains() -> None:
    wiring = wire(Shape(cores=4, sockets=1, domains=2, devices=3), homes=[0])
    assert [wiring.domains[wiring.id_of(f"device{i}")] for i in range(3)] == [0, 1, 0]
