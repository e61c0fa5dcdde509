"""Invalidations left to other cores: whom a note awaits, and when it is over."""

from actors.vm.deferrals import Deferral, Deferrals
from kernel.units import ASID_SHIFT

_OTHER = 1 << ASID_SHIFT


def two_notes() -> Deferrals:
    """Leave page 4 to cores 1 and 2, then page 5 to core 2 and a page of process 1 to core 3."""
    part = Deferrals()
    part.leave(Deferral(((4, 40),), ((0, 0b110),)))
    part.leave(Deferral(((5, 50), (_OTHER | 6, 60)), ((0, 0b100), (1, 0b1000))))
    return part


def test_a_core_is_told_all_that_it_missed() -> None:
    part = two_notes()
    assert part.missed(1, 0) == (1, (4,))
    assert part.missed(2, 0) == (2, (4, 5))
    assert part.missed(3, 1) == (2, (6,))
    assert part.missed(0, 0) == (0, ())


def test_a_note_is_over_when_the_last_core_has_caught_up() -> None:
    part = two_notes()
    assert part.caught_up(0b010, 0, upto=1) == []
    assert part.caught_up(0b100, 0, upto=2) == [1]
    assert part.settle(1).gone == ((4, 40),)
    assert part.caught_up(0b1000, 1, upto=2) == [2]


def test_a_core_that_caught_up_to_an_earlier_note_still_owes_the_later_one() -> None:
    part = two_notes()
    part.caught_up(0b100, 0, upto=1)
    assert part.missed(2, 0) == (2, (5,))


def test_who_is_late_is_told_space_by_space() -> None:
    part = two_notes()
    assert part.late(1) == (0, 0b110)
    assert part.owed_to(0, 2) == (4, 5)
    assert part.awaited(0) == {4: 0b110, 5: 0b100, _OTHER | 6: 0b100}
    part.caught_up(0b110, 0, upto=2)
    assert part.late(2) == (1, 0b1000)
    assert part.late(0) == (-1, 0)


def test_a_shootdown_of_the_same_entries_does_what_was_left() -> None:
    part = two_notes()
    assert part.made(((4, 40), (5, 50)), upto=1) == ((4, 40),)
    assert part.owed_to(0, 2) == (5,)
    assert part.late(1) == (0, 0b110), "whoever is awaited is so still"


def test_numbers_go_on_in_a_clone() -> None:
    twin = two_notes().clone()
    assert twin.leave(Deferral((), ())) == 3
