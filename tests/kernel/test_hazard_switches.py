"""Hazards as bits: each has one of its own, a name, and an entry of the catalogue."""

from kernel.hazards.catalogue import BY_NAME, CATALOGUE
from kernel.hazards.switches import Hazard


def test_every_hazard_has_a_bit_of_its_own_and_is_in_the_catalogue() -> None:
    bits = [bit for name, bit in vars(Hazard).items() if name.isupper() and name != "NONE"]
    assert sorted(bits) == [1 << n for n in range(len(bits))], "use the next free bit"
    assert list(CATALOGUE) == bits, "tell what it is in _ABOUT of kernel/hazards/switches.py"
    assert len(BY_NAME) == len(bits)


def test_a_hazard_is_named_as_users_write_it() -> None:
    assert BY_NAME["free-before-acks"] == Hazard.FREE_BEFORE_ACKS
    assert CATALOGUE[Hazard.LOST_ACK].name == "lost-ack"


def test_a_machine_asks_for_plain_ints() -> None:
    assert type(Hazard.LOST_ACK | Hazard.NONE) is int
