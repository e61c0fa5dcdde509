"""Holes by themselves: events of THE TABLE change page and accounts, the record says where."""

from actors.vm.entries import Entries
from actors.vm.holes import Holes
from kernel.hole import Action, HoleEvent, HoleState
from kernel.page import DIRTY, KNOWN_ZERO, Page
from kernel.pte import D, P, U
from kernel.vm_map import HOLE, SHARED, WIRED
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, OID, one_object, operation, settings


def holes(preset: str = "fatal-hole") -> tuple[Holes, VmSpace]:
    space = VmSpace()
    objects, pages = one_object(space, 5)
    config = settings(preset)
    entries = Entries(config, {0: space}, pages)
    entries.enter(0, KEY, pages.at(KEY), P | U)
    return Holes(config, objects, pages, entries), space


def test_a_page_leaves_the_resident_set_once_when_it_comes_into_a_hole() -> None:
    part, space = holes()
    after, _ = part.event(KEY, HoleEvent.HOLE, operation(0))
    assert after is not None
    assert after.hole is HoleState.FLUSHING
    assert space.resident == 0
    assert part.must_wait(after, HoleEvent.ROGUE)


def test_a_page_that_is_discarded_leaves_its_object() -> None:
    part, _ = holes()
    after, actions = part.event(KEY, HoleEvent.DISCARD, operation(0))
    assert after is None
    assert Action.FREE_FRAME in actions
    assert part.pages.get(KEY) is None


def test_a_page_that_leaves_the_deferred_state_is_left_to_nobody() -> None:
    part, _ = holes()
    part.pages.put(KEY, Page(5, hole=HoleState.DEFERRED))
    part.deferred[KEY] = (1, 0, 0)
    part.event(KEY, HoleEvent.FLUSHED, operation(0))
    assert part.deferred == {}


def test_a_renamed_page_is_in_no_hole_and_counts_as_stored_to() -> None:
    part, space = holes()
    part.event(KEY, HoleEvent.HOLE, operation(0))
    part.pages.put(KEY, part.pages.at(KEY).with_flags(on=KNOWN_ZERO))
    page = part.rename(KEY, (OID, 4))
    assert page.hole is HoleState.LIVE
    assert page.flags == DIRTY
    assert space.resident == 1
    assert part.pages.frames == {5: (OID, 4)}


def test_a_page_is_known_to_be_zero_until_an_entry_says_that_it_was_stored_to() -> None:
    part, space = holes()
    page = part.pages.at(KEY).with_flags(on=KNOWN_ZERO)
    assert part.known_zero(page)
    space.pmap.ptes[0] |= D
    assert not part.known_zero(page)


def test_the_record_is_in_the_map_beside_it_or_in_shared_objects() -> None:
    part, space = holes()  # hole_state = map-entry
    space.map.change(6, 8, lambda e: e.with_flags(on=SHARED))
    space.map.change(5, 6, lambda e: e.with_flags(on=WIRED))
    part.mark(space, 2, 8, hole=True)
    assert [e.start for e in space.map.entries if e.flags & HOLE] == [2]
    assert list(part.within(space, 0, 8)) == [(2, 5), (6, 8)], "what is wired stays out"
    entry = space.map.lookup(7)
    assert entry is not None
    assert part.includes(space, entry, 7)
    part.mark(space, 0, 8, hole=False)
    assert list(part.within(space, 0, 8)) == []
