"""Pins by themselves: a frame outlives its page as long as somebody holds it."""

import msgspec

from actors.facts import PinMet
from actors.machine import Effect, Note
from actors.messages import Free, Unpin, Unpinned
from actors.vm.pins import Pins
from kernel.hazards.switches import Hazard
from kernel.page import DIRTY
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, one_object, operation, sent, settings

_DEVICE = 11


def pins(hazards: int = 0) -> Pins:
    _, pages = one_object(VmSpace(), 5)
    return Pins(msgspec.structs.replace(settings(), hazards=hazards), pages)


def test_what_a_device_stored_to_is_dirty_when_the_pin_goes() -> None:
    part = pins()
    part.pin(KEY)
    assert part.pages.at(KEY).pins == 1
    assert not part.unpin(5, stored=True)
    assert part.pages.at(KEY).pins == 0
    assert part.pages.at(KEY).flags & DIRTY


def test_with_the_hazard_nobody_says_that_it_is_dirty() -> None:
    part = pins(Hazard.DMA_LEAVES_CLEAN)
    part.pin(KEY)
    part.unpin(5, stored=True)
    assert not part.pages.at(KEY).flags & DIRTY


def test_a_frame_whose_page_is_gone_is_free_when_the_last_hold_goes() -> None:
    part, out = pins(), list[Effect]()
    part.pin(KEY)
    page = part.pages.at(KEY)
    part.pages.forget(KEY, page)
    assert part.outlives(page, operation(3), out, freed_now=False)
    assert out == [Note(PinMet(3, "discard"))]
    assert part.waiting() == ["frame 0x5 without a page has 2 holds"]
    assert not part.let_go_of_frame(5), "the shootdown is complete, the device goes on"
    answers = part.give_back(_DEVICE, Unpin(3, 0, stored=False, pfns=(5,)))
    memory = part.settings.memory_of(5)
    assert sent(answers) == [(memory, Free(3, (5,), zeroed=False)), (_DEVICE, Unpinned(3))]
    assert part.freeze() == ()


def test_a_page_without_pins_leaves_nothing_behind() -> None:
    part, out = pins(), list[Effect]()
    assert not part.outlives(part.pages.at(KEY), operation(3), out, freed_now=True)
    assert part.let_go_of_frame(5)
    assert out == []
