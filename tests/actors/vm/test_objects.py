"""Memory objects by themselves: what entries of maps show, through chains of shadows."""

from actors.vm.objects import Objects
from kernel.page import Page
from kernel.vm_map import NEEDS_COPY, SHARED, WIRED, MapEntry
from kernel.vmspace import VmSpace


def mapped(space: VmSpace) -> tuple[Objects, int]:
    """Map an object of eight pages at page 16."""
    objects = Objects({0: space})
    oid = objects.make(0, 8)
    space.map.insert(MapEntry(16, 24, 3, oid, 0))
    return objects, oid


def entry_at(space: VmSpace, vpn: int) -> MapEntry:
    entry = space.map.lookup(vpn)
    assert entry is not None
    return entry


def test_objects_are_named_after_the_lane_that_made_them() -> None:
    objects = Objects({})
    first, second, other = objects.make(0, 1), objects.make(0, 1), objects.make(1, 1)
    assert len({first, second, other}) == 3
    assert objects.of_file(4) == objects.of_file(4)
    twin = objects.clone({})
    assert twin.make(0, 1) == objects.make(0, 1), "the same name, whatever others make"


def test_a_page_is_found_down_the_chain_until_a_copy_hides_it() -> None:
    space = VmSpace()
    objects, bottom = mapped(space)
    objects.by_oid[bottom].pages[2] = Page(5)
    space.map.change(16, 24, lambda e: e.with_flags(on=NEEDS_COPY))
    space.map.insert(MapEntry(40, 48, 3, bottom, 0, NEEDS_COPY))  # somebody else refers to it
    objects.shadow(space, entry_at(space, 16), lane=0)
    entry = entry_at(space, 16)
    assert entry.oid != bottom
    assert not entry.flags & NEEDS_COPY
    assert objects.find(entry, 18) == ((bottom, 2), Page(5))
    assert objects.page_at(space, 18) is None, "the top object has none"
    assert objects.bottom(entry) == (bottom, 0)
    objects.by_oid[entry.oid].pages[2] = Page(6)
    assert objects.find(entry, 18) == ((entry.oid, 2), Page(6))


def test_an_object_that_is_one_s_own_needs_no_shadow() -> None:
    space = VmSpace()
    objects, bottom = mapped(space)
    space.map.change(16, 24, lambda e: e.with_flags(on=NEEDS_COPY))
    objects.shadow(space, entry_at(space, 16), lane=0)
    assert entry_at(space, 16).oid == bottom
    assert objects.refs(bottom) == 1


def test_what_is_held_in_a_range_is_listed_in_order_with_copies_in_swap() -> None:
    space = VmSpace()
    objects, oid = mapped(space)
    objects.by_oid[oid].pages.update({5: Page(1), 1: Page(2)})
    objects.by_oid[oid].swap[3] = 0
    assert list(objects.held_in(space, 0, 100)) == [17, 19, 21]
    assert list(objects.resident_in(space, 0, 100)) == [17, 21]
    assert list(objects.held_in(space, 18, 21)) == [19]
    assert list(objects.held_in(space, 0, 100, lambda e: bool(e.flags & SHARED))) == []


def test_a_page_stays_while_it_is_pinned_or_an_entry_that_mlock_wired_shows_it() -> None:
    space = VmSpace()
    objects, oid = mapped(space)
    objects.by_oid[oid].pages[1] = Page(5)
    key, page = (oid, 1), Page(5)
    assert not objects.is_wired(key, page)
    assert objects.is_wired(key, page.with_pins(1))
    space.map.change(17, 18, lambda e: e.with_flags(on=WIRED))
    assert objects.is_wired(key, page)
    assert not objects.is_wired((oid, 2), page)
