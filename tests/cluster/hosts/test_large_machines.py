"""Machines of many cores: nothing that hosts keep grows with the square of the actors."""

import tracemalloc
from collections.abc import Callable

import pytest

from actors.machine import ProtocolError, Send
from actors.messages import Step
from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.hosts.mailboxes import Mailboxes
from cluster.input_error import InputError
from cluster.properties.checker import Checker
from cluster.scenario.scenario import MachineTable, Scenario, ThreadTable, parse
from cluster.scenario.setup import Setup, prepare

LARGEST = 16_384
#: all that a host keeps for an actor before it has done anything
BYTES_AN_ACTOR = 2_048


def large(cores: int, **machine: int) -> Setup:
    thread = ThreadTable(core=cores - 1, run=["map 1 2", "store 1 2", "hole 1 2", "zero 1 2"])
    table = MachineTable(cores=cores, **machine)
    return prepare(Scenario(machine=table, thread=[thread]))


def bytes_of(make: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        kept = make()
        del kept
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_largest_machine_runs() -> None:
    setup = large(LARGEST, domains=64, sockets=8)
    host = InlineHost(
        setup.wiring, build(setup.wiring, setup.settings, setup.guest), setup.latency()
    )
    host.start()
    assert host.run()
    assert host.outcome().waiting == []
    assert host.deliveries > 30


def test_a_host_keeps_a_little_for_each_actor() -> None:
    setup = large(4096, domains=8)
    machines = build(setup.wiring, setup.settings, setup.guest)
    most = BYTES_AN_ACTOR * len(machines)
    assert bytes_of(lambda: InlineHost(setup.wiring, machines, setup.latency())) < most
    assert bytes_of(lambda: Mailboxes(len(machines))) < most


def test_latencies_have_a_row_for_each_place() -> None:
    table = large(LARGEST, domains=4).latency()
    rows = {id(row): row for row in table.row_of}
    # cores, memory, page daemon and zeroer of each domain, and the vm
    assert [len(row) for row in rows.values()] == [4 * 4 + 1] * (4 * 4 + 1)


def test_promises_are_checked_up_to_a_number_of_cores() -> None:
    Checker(large(1024))
    told = r"machine.cores=1025: .* up to 1,024 cores: run it with --check off"
    with pytest.raises(InputError, match=told):
        Checker(large(1025))


def test_more_cores_than_the_largest_are_refused() -> None:
    data = {"machine": {"cores": LARGEST + 1}, "thread": [{"run": ["map 1 1"]}]}
    with pytest.raises(InputError, match=r"machine.cores=16385"):
        parse(data, "here")


def test_what_may_not_be_sent_is_told() -> None:
    setup = large(2)
    machines = build(setup.wiring, setup.settings, setup.guest)
    daemon, zeroer = setup.wiring.daemons[0], setup.wiring.zeroers[0]
    host = InlineHost(setup.wiring, machines, setup.latency())
    with pytest.raises(ProtocolError, match=f"no channel from actor {daemon} to {zeroer}"):
        host.send(0, daemon, 0, Send(zeroer, Step(0)))
