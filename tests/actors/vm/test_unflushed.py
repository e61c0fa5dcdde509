"""Flushes that are owed: found by range, in the order of their debts, paid one by one."""

from hypothesis import given
from hypothesis import strategies as st

from actors.vm.unflushed import Unflushed


def test_a_debt_is_found_by_its_place_and_paid_once() -> None:
    owed = Unflushed()
    owed.add(0x10, 1)
    owed.add(0x10, 2)
    owed.add(0x2000, 3)
    assert sorted(owed.within(0, 0x11)) == [0x10]
    assert owed.remove(0x10, 1) == (2,)
    assert owed.remove(0x10, 2) == ()
    assert owed.oldest_first(0, 1 << 40) == [(0x2000, (3,))]


def test_a_place_with_debts_left_is_the_youngest_from_then_on() -> None:
    owed = Unflushed()
    for va, pfn in ((1, 10), (1, 11), (2, 20)):
        owed.add(va, pfn)
    owed.remove(1, 10)
    assert [va for va, _ in owed.oldest_first(0, 8)] == [2, 1]


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3)), max_size=60),
    st.integers(0, 5000),
    st.integers(1, 5000),
)
def test_a_range_is_found_as_by_looking_at_all(
    debts: list[tuple[int, int]], start: int, length: int
) -> None:
    owed = Unflushed()
    for va, pfn in debts:
        owed.add(va, pfn)
    for va, pfn in debts[::2]:
        owed.remove(va, pfn)
    inside = [va for va in owed.places if start <= va < start + length]
    assert sorted(owed.within(start, start + length)) == sorted(inside)
    assert [va for va, _ in owed.oldest_first(start, start + length)] == inside
    assert owed.clone().freeze() == owed.freeze()
