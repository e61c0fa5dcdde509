"""Pages on their way to the zeroing thread and back."""

from actors.facts import BackgroundZeroed
from actors.machine import Effect, Note
from actors.messages import PageZeroed, Take, Taken, ZeroJob
from actors.vm.entries import Entries
from actors.vm.holes import Holes
from actors.vm.in_flight import InFlight
from actors.vm.waiting import Waiting
from actors.vm.zeroing import Zeroing
from kernel.hole import HoleState
from kernel.page import Page
from kernel.pte import D, P, U, W
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, OID, one_object, operation, sent, settings

_VM = 9


def zeroing(preset: str = "fatal-hole", *, state: HoleState = HoleState.IDLE) -> Zeroing:
    space = VmSpace()
    objects, pages = one_object(space, 5)
    config = settings(preset)
    pages.put(KEY, Page(5, hole=state))
    entries = Entries(config, {0: space}, pages)
    holes = Holes(config, objects, pages, entries)
    return Zeroing(_VM, config, holes, Waiting(InFlight(_VM, config), pages))


def test_idle_pages_of_a_hole_are_offered_to_the_thread_of_their_domain() -> None:
    part, out = zeroing(), list[Effect]()
    part.offer(operation(0), [KEY, (OID, 3)], out)
    zeroer = part.settings.zeroers[0]
    assert sent(out) == [(zeroer, ZeroJob(0, (KEY,)))]
    assert part.holes.pages.at(KEY).hole is HoleState.QUEUED


def test_a_page_whose_entry_may_be_cached_dirty_is_not_offered() -> None:
    part, out = zeroing("flag-only"), list[Effect]()
    part.holes.entries.enter(0, KEY, part.holes.pages.at(KEY), P | U | W | D)
    part.offer(operation(0), [KEY], out)
    assert sent(out) == []


def test_a_thread_gets_what_is_still_queued_and_gives_it_back_zeroed() -> None:
    part = zeroing(state=HoleState.QUEUED)
    zeroer = part.settings.zeroers[0]
    (answer,) = sent(part.take(zeroer, Take(zeroer, (KEY, (OID, 3)))))
    assert answer == (zeroer, Taken(zeroer, ((KEY, 5),), answer[1].take))
    assert part.holes.pages.at(KEY).busy == zeroer
    out = part.page_zeroed(zeroer, PageZeroed(zeroer, (KEY,)))
    assert Note(BackgroundZeroed(zeroer, 1)) in out
    page = part.holes.pages.at(KEY)
    assert page.hole is HoleState.ZEROED
    assert not page.is_busy


def test_a_page_that_another_operation_works_on_is_not_taken() -> None:
    part = zeroing(state=HoleState.QUEUED)
    part.holes.pages.put(KEY, part.holes.pages.at(KEY).with_busy(3))
    zeroer = part.settings.zeroers[0]
    (answer,) = sent(part.take(zeroer, Take(zeroer, (KEY,))))
    assert answer[1].pages == ()
