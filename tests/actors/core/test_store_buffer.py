"""The store buffer: order, one store outstanding, acknowledgements among the stores."""

from actors.core.store_buffer import StoreBuffer
from actors.core.values import Buffered
from actors.machine import Send
from actors.messages import Drain, IpiAck, Store, StoreWords, TlbiDone
from kernel.claim_word import Side
from tests.support.core_parts import FAR_FRAME, MEMORY, OTHER_MEMORY, settings

NEAR = Buffered(0, 0, ((16, 1, 100),))
FAR = Buffered(0, 0, ((32, FAR_FRAME, 101),))
ACK = Buffered(8, 0, ack_to=1, round=3)


def pushed(*entries: Buffered, fine: bool = False) -> tuple[StoreBuffer, list]:
    buffer, out = StoreBuffer(0, settings(fine=fine)), []
    for entry in entries:
        buffer.push(entry, out)
    return buffer, out


def test_a_store_goes_to_the_memory_of_its_frame():
    assert pushed(NEAR)[1] == [Send(MEMORY, Store(0, 0, NEAR.items))]
    assert pushed(FAR)[1] == [Send(OTHER_MEMORY, Store(0, 0, FAR.items))]


def test_one_store_is_outstanding_across_all_memories():
    buffer, out = pushed(NEAR, FAR)
    assert len(out) == 1
    buffer.performed(out)
    assert out[1:] == [Send(OTHER_MEMORY, Store(0, 0, FAR.items))]
    assert list(buffer.entries) == [FAR]
    buffer.performed(out)
    assert len(out) == 2
    assert not buffer.entries
    assert not buffer.in_flight


def test_an_acknowledgement_leaves_after_the_stores_before_it_and_lets_the_next_go():
    buffer, out = pushed(NEAR, ACK, FAR)
    buffer.performed(out)
    assert out[1:] == [Send(1, IpiAck(8, 3)), Send(OTHER_MEMORY, Store(0, 0, FAR.items))]


def test_a_broadcast_is_answered_as_such():
    broadcast = Buffered(8, 0, ack_to=1, round=3, broadcast=True)
    assert pushed(broadcast)[1] == [Send(1, TlbiDone(8, 3))]


def test_claim_words_are_written_as_stores_are():
    buffer, out = pushed(Buffered(4, 0, words=((FAR_FRAME, 77),)))
    assert out == [Send(OTHER_MEMORY, StoreWords(4, Side.THIEF, ((FAR_FRAME, 77),)))]
    assert buffer.in_flight


def test_exploring_every_entry_leaves_in_a_step_of_its_own():
    buffer, out = pushed(NEAR, ACK, FAR, fine=True)
    assert out == [Send(0, Drain(0))]
    buffer.drain(out)
    assert out[1:] == [Send(MEMORY, Store(0, 0, NEAR.items))]
    buffer.performed(out)
    assert out[2:] == [Send(0, Drain(8))]
    buffer.drain(out)
    assert out[3:] == [Send(1, IpiAck(8, 3)), Send(0, Drain(0))]


def test_it_says_what_is_left():
    assert pushed()[0].waiting() == []
    assert pushed(NEAR, FAR)[0].waiting() == ["2 entries are in the store buffer"]


def test_a_clone_drains_by_itself():
    buffer, _ = pushed(NEAR, FAR)
    twin = buffer.clone()
    assert twin.freeze() == buffer.freeze()
    twin.performed([])
    assert len(buffer.entries) == 2
    assert twin.freeze() != buffer.freeze()


def test_whether_memory_has_the_first_is_part_of_the_state():
    fused, fine = pushed(NEAR)[0], pushed(NEAR, fine=True)[0]
    assert fused.freeze() != fine.freeze()
