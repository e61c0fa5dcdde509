"""Page-table entries by themselves: what is owed when one goes, and whom pages are mapped for."""

import msgspec

from actors.facts import Resident
from actors.machine import Note
from actors.vm.entries import Entries
from kernel import pte as pte_bits
from kernel.hazards.switches import Hazard
from kernel.page import DIRTY
from kernel.pte import A, D, P, U, W
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, OID, one_object, settings


def entries(hazards: int = 0) -> tuple[Entries, VmSpace]:
    space = VmSpace()
    _, pages = one_object(space, 5, 6)
    config = msgspec.structs.replace(settings(), hazards=hazards)
    return Entries(config, {0: space}, pages), space


def test_an_entry_that_goes_leaves_its_dirty_bit_and_a_flush() -> None:
    part, space = entries()
    part.enter(0, KEY, part.pages.at(KEY), P | U | W | A | D)
    assert space.resident == 1
    assert part.take_entry(0) == (0, 5)
    assert space.resident == 0
    page = part.pages.at(KEY)
    assert page.flags & DIRTY
    assert page.mappings == (0,), "a TLB may still have it"
    part.has_flushed(((0, 5),))
    assert part.pages.at(KEY).mappings == ()
    assert part.freeze() == ()


def test_who_comes_after_takes_over_the_flush_that_is_owed() -> None:
    part, _ = entries()
    part.enter(0, KEY, part.pages.at(KEY), P | U)
    part.take_entry(0)
    assert part.take_entry(0) == (0, 5)
    assert part.owed_in(0, 0, 8, gone=()) == [0]
    assert part.owed_in(0, 0, 8, gone=((0, 5),)) == []
    part.has_flushed(((0, 5),))
    assert part.take_entry(0) == (0, 5), "the other flush is still owed"


def test_a_hazard_ignores_what_is_owed() -> None:
    part, _ = entries(Hazard.IGNORES_UNFLUSHED)
    part.enter(0, KEY, part.pages.at(KEY), P | U)
    part.take_entry(0)
    assert part.take_entry(0) is None
    assert part.owed_in(0, 0, 8, gone=()) == []


def test_orphans_are_entries_whose_page_is_gone_in_the_order_of_their_debts() -> None:
    part, _ = entries()
    for index in (1, 0):
        key = (OID, index)
        part.enter(index, key, part.pages.at(key), P | U)
        part.take_entry(index)
        part.pages.forget(key, part.pages.at(key))
    assert part.orphans_in(0, 0, 8) == [(1, 6), (0, 5)]
    assert part.orphans_in(0, 0, 1) == [(0, 5)]


def test_accessed_bits_are_cleared_and_flushed_page_by_page() -> None:
    part, space = entries()
    part.enter(0, KEY, part.pages.at(KEY), P | U | A)
    references, flushes = part.take_references(part.pages.at(KEY))
    assert references == 1
    assert len(flushes) == (1 if part.settings.policy.daemon_batch == 1 else 0)
    assert not space.pmap.ptes[0] & A
    assert part.take_references(part.pages.at(KEY)) == (0, [])


def test_the_resident_set_is_stated_once_a_step() -> None:
    part, space = entries()
    part.enter(0, KEY, part.pages.at(KEY), P | U)
    part.enter(1, (OID, 1), part.pages.at((OID, 1)), P | U)
    out: list = []
    part.state_resident(3, out)
    assert out == [Note(Resident(3, 0, 2))]
    assert not part.restated
    assert pte_bits.pfn_of(space.pmap.ptes[1]) == 6
