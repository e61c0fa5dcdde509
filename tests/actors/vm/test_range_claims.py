"""Claimed ranges: who has a part of one, and who is told of its end."""

from actors.vm.range_claims import RangeClaims


def test_a_claim_is_in_the_way_of_ranges_that_overlap_it() -> None:
    part = RangeClaims()
    part.take(3, ((7, 2, 5),))
    assert part.holder(((7, 4, 6),)) == 3
    assert part.holder(((7, 5, 6), (8, 2, 5))) == -1


def test_those_who_wait_are_told_in_order_when_it_ends() -> None:
    part = RangeClaims()
    part.take(3, ((7, 2, 5),))
    part.wait(4, 3)
    part.wait(5, 3)
    twin = part.clone()
    assert part.release(3) == (4, 5)
    assert part.holder(((7, 2, 5),)) == -1
    assert part.release(3) == ()
    assert twin.holder(((7, 2, 5),)) == 3
