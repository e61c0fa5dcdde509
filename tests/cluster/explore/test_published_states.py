"""Search with a state cache: as many states of well-known protocols as others have counted.

TLC counts initial states as generated, and the length of a path in states, not steps; Stateright
counts what clients were told as part of the state.
"""

from collections.abc import Sequence
from math import comb

import pytest

from cluster.explore.strategies.stateful import Order, search
from tests.models.abd import Abd
from tests.models.chang_roberts import rings
from tests.models.history import NOTHING
from tests.models.network import Actor, Envelope, Network
from tests.models.paxos import Paxos
from tests.models.register import SingleCopy, register
from tests.models.two_phase_commit import two_phase_commit

both_orders = pytest.mark.parametrize("order", Order)
#: states of a manager once it is committed, while nothing is decided, once it is aborted
KINDS = (2, 4, 6)


@both_orders
@pytest.mark.parametrize("n", range(1, 6))
def test_two_phase_commit(n: int, order: Order) -> None:
    """TLC and Stateright: 288 states of 3 managers, Stateright: 8,832 of 5."""
    found = search(two_phase_commit(n), order=order)
    assert found.complete
    assert not found.found
    assert found.states == sum(kinds**n for kinds in KINDS)


def test_two_phase_commit_as_tlc_counts() -> None:
    found = search(two_phase_commit(3))
    assert (found.states, found.transitions + 1, found.depth + 1) == (288, 1146, 11)


def test_two_phase_commit_of_fifty_thousand_states() -> None:
    """No published number, but the closed form; the transitions are a second port's."""
    found = search(two_phase_commit(6))
    assert (found.states, found.transitions + 1) == (50_816, 402_306)


@both_orders
@pytest.mark.parametrize("n", range(1, 7))
def test_symmetric_two_phase_commit(n: int, order: Order) -> None:
    """A state is how many managers there are of each kind.

    Stateright's 665 for 5 managers is more than the true number, 314, as it sorts them only by
    their states.
    """
    found = search(two_phase_commit(n, symmetric=True), order=order)
    assert found.complete
    assert not found.found
    assert found.states == sum(comb(n + kinds - 1, n) for kinds in KINDS)


def test_election_on_a_ring() -> None:
    """TLC: 137 states, 227 generated, depth 10."""
    found = [search(ring) for ring in rings(3)]
    assert all(each.complete and not each.found for each in found)
    assert sum(each.states for each in found) == 137
    assert sum(each.transitions + 1 for each in found) == 227
    assert max(each.depth for each in found) + 1 == 10


def single_copies(n: int) -> Sequence[Actor]:
    return [SingleCopy()] * n


def replicas(n: int) -> Sequence[Actor]:
    return [Abd(n)] * n


def deciders(n: int) -> Sequence[Actor]:
    return [Paxos(n)] * n


@both_orders
@pytest.mark.parametrize(
    ("servers", "clients", "ordered", "states", "transitions"),
    [
        # states: tests of Stateright's examples; transitions: a second, independent port
        pytest.param(single_copies(1), 2, False, 93, 120, id="single copy"),
        pytest.param(replicas(2), 2, False, 544, 874, id="ABD"),
        pytest.param(deciders(3), 2, False, 16_668, 32_970, id="Paxos"),
        # states: that port too
        pytest.param(replicas(2), 2, True, 620, None, id="ABD in order"),
        pytest.param(deciders(3), 1, False, 265, None, id="Paxos of one client"),
    ],
)
def test_register(
    servers: Sequence[Actor],
    clients: int,
    ordered: bool,
    states: int,
    transitions: int | None,
    order: Order,
) -> None:
    found = search(register(servers, clients, ordered=ordered), order=order)
    assert found.complete
    assert not found.found
    assert found.states == states
    assert transitions in (found.transitions, None)


def test_two_single_copies_are_no_register() -> None:
    """Stateright: a shortest way to show it has four deliveries.

    It stops at 54 states, when both its properties are decided; the second port found 62 in all.
    """
    found = search(register(single_copies(2), 2))
    (broken,) = found.found
    assert broken.promise == "linearizable"
    assert broken.path == (
        Envelope(2, 0, ("put", 2, "A")),
        Envelope(0, 2, ("put_ok", 2)),
        Envelope(2, 1, ("get", 4)),
        Envelope(1, 2, ("get_ok", 4, NOTHING)),
    )


@both_orders
def test_two_single_copies(order: Order) -> None:
    """A state with a broken promise is not expanded, so no later one is found."""
    found = search(register(single_copies(2), 2, promise=lambda _: ""), order=order)
    assert found.complete
    assert found.states == 62


def told_a_value(network: Network) -> str:
    messages = [envelope.message for envelope in network.flight]
    told = any(message[0] == "get_ok" and message[2] != NOTHING for message in messages)
    return "nobody is told a value" if told else ""


@pytest.mark.parametrize(
    ("servers", "deliveries"),
    [
        pytest.param(single_copies(1), 3, id="single copy"),
        pytest.param(replicas(2), 11, id="ABD"),
        pytest.param(deciders(3), 8, id="Paxos"),
    ],
)
def test_shortest_way_to_be_told_a_value(servers: Sequence[Actor], deliveries: int) -> None:
    """Paths are as long as in the tests of Stateright's examples."""
    (broken,) = search(register(servers, 2, promise=told_a_value)).found
    assert len(broken.path) == deliveries
