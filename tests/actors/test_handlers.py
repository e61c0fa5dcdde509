"""Each machine handles exactly the messages that it says it receives."""

import typing
from types import UnionType

import pytest

from actors.facts import FACTS, Fact
from actors.machine import Machine, ProtocolError
from actors.message import Message
from actors.message_text import message_classes
from actors.wiring import build
from cluster.scenario.scenario import MachineTable, RunTable, Scenario, ThreadTable
from cluster.scenario.setup import prepare


def machines() -> list[Machine]:
    machine = MachineTable(swap_slots=1, devices=1)
    scenario = Scenario(machine=machine, thread=[ThreadTable(run=["map 0 1"])], run=RunTable())
    setup = prepare(scenario)
    return build(setup.wiring, setup.settings, setup.guest)


ONE_EACH = {machine.ROLE: machine for machine in machines()}


def received(machine: Machine) -> set[type]:
    kinds = machine.RECEIVES
    return set(typing.get_args(kinds)) if isinstance(kinds, UnionType) else {kinds}  # type: ignore[arg-type]


def nothing_of(kind: type[Message]) -> Message:
    """Make a message with arbitrary contents."""
    return kind(*[0] * len(kind.__struct_fields__))


@pytest.mark.parametrize("role", ONE_EACH)
def test_handlers_are_what_the_machine_receives(role: str) -> None:
    assert set(ONE_EACH[role].HANDLERS) == received(ONE_EACH[role])


@pytest.mark.parametrize("role", ONE_EACH)
def test_any_other_message_is_an_error_that_names_it(role: str) -> None:
    machine = ONE_EACH[role]
    others = [kind for kind in message_classes() if kind not in machine.HANDLERS]
    assert others
    for kind in others:
        before = machine.freeze()
        with pytest.raises(ProtocolError, match=rf"{role} .* must not get {kind.__name__}\("):
            machine.on(0, nothing_of(kind))
        assert machine.freeze() == before


def test_every_message_has_a_receiver_and_its_document_names_it() -> None:
    receivers: dict[type, set[str]] = {kind: set() for kind in message_classes()}
    for role, machine in ONE_EACH.items():
        for kind in machine.HANDLERS:
            receivers[kind].add(role)
    for kind, roles in receivers.items():
        documented = (kind.__doc__ or "").partition(" <-")[0]
        assert roles == {role.strip() for role in documented.split(",")}, kind.__name__


def test_tags_are_dense_and_stable() -> None:
    tags = [kind.__struct_config__.tag for kind in message_classes()]
    assert tags == list(range(1, len(tags) + 1))


def test_no_message_and_no_fact_is_missing_from_its_list() -> None:
    messages = {one for one in Message.__subclasses__() if is_ours(one)}
    facts = {one for one in Fact.__subclasses__() if is_ours(one)}
    assert set(message_classes()) == messages, "see the end of its file in actors/protocol"
    assert set(FACTS) == facts, "see the end of actors/facts.py"


def is_ours(kind: type) -> bool:
    """Say whether a class is not one that a test has made."""
    return kind.__module__.startswith("actors.")
