"""Resident pages by identity: frames, queues, and slots of swap that nothing refers to."""

from actors.messages import FreeSlots
from kernel.page import Page
from kernel.page_queue import QUEUES, Queue
from kernel.vmspace import VmSpace
from tests.support.small_vm import KEY, OID, one_object, sent, settings


def test_a_page_has_one_frame_and_is_forgotten_with_it() -> None:
    objects, pages = one_object(VmSpace(), 5)
    pages.enqueue(5, Queue.INACTIVE)
    assert pages.frames == {5: KEY}
    assert pages.get(KEY) == Page(5)
    twin = pages.clone(objects.clone({}))
    pages.forget(KEY, pages.at(KEY))
    assert pages.get(KEY) is None
    assert pages.frames == {}
    assert pages.queues.length(Queue.INACTIVE) == 0
    assert twin.get(KEY) == Page(5)


def test_a_page_of_an_object_that_is_gone_is_not_found() -> None:
    _, pages = one_object(VmSpace())
    assert pages.get((OID + 1, 0)) is None


def test_a_page_in_use_becomes_active_once() -> None:
    _, pages = one_object(VmSpace(), 5)
    pages.activate(pages.at(KEY))
    assert pages.queues.where[5] % QUEUES == Queue.ACTIVE
    pages.queues.lists[Queue.ACTIVE][5] = 9
    pages.activate(pages.at(KEY))
    assert pages.queues.lists[Queue.ACTIVE][5] == 9, "its activity stays"


def test_a_hint_moves_what_is_resident() -> None:
    _, pages = one_object(VmSpace(), 5)
    pages.enqueue(5, Queue.LAUNDRY)
    pages.hint([KEY, (OID, 3)], Queue.HOLES)
    assert pages.queues.where[5] % QUEUES == Queue.HOLES


def test_slots_that_are_let_go_of_are_told_together() -> None:
    objects, pages = one_object(VmSpace(), 5)
    pages.settings = settings(swap_slots=4)
    objects.by_oid[OID].swap.update({0: 2, 1: 3})
    for index in (0, 1, 2):
        pages.drop_slot((OID, index))
    out: list = []
    pages.free_slots(1, out)
    assert sent(out) == [(pages.settings.swaps[0], FreeSlots(1, (2, 3)))]
    assert not pages.dropped
