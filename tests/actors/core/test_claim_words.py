"""Claim words: write the own, fence, read the other's, again while it goes on."""

from actors.core.claim_words import ClaimWords
from actors.core.values import Buffered
from actors.machine import Send, Spend, Timer
from actors.messages import Claim, Claimed, LoadWords, Poll, WordsLoaded
from kernel.claim_word import Side, Work, thief_word, zeroer_word
from kernel.hazards.switches import Hazard
from tests.support.core_parts import (
    COSTS,
    FAR_FRAME,
    MEMORY,
    OTHER_MEMORY,
    VM,
    Asked,
    OnCore,
    settings,
)

ONE, TWO = ((0, 1), 10, 77), ((0, 2), FAR_FRAME, 77)


class Buffer(Asked):
    """Keeps what is pushed until `entries` is cleared."""

    def push(self, entry: Buffered, _out: list) -> None:
        self.entries.append(entry)


def words(**changes: object) -> ClaimWords:
    return ClaimWords(settings(**changes), OnCore(), Buffer(entries=[]))


def performed(one: ClaimWords) -> list:
    """Have memory perform the own word."""
    out: list = []
    one.buffer.entries.clear()
    one.fence(out)
    return out


def test_the_own_word_is_performed_before_the_other_is_read():
    one = words()
    assert one.begin(VM, Claim(4, (ONE,), 7)) == [Spend(7)]
    assert one.buffer.entries == [Buffered(4, 0, words=((10, thief_word(77)),))]
    assert performed(one) == [Send(MEMORY, LoadWords(4, Side.ZEROER, (10,)))]
    assert performed(one) == []


def test_with_the_hazard_it_is_read_at_once():
    one = words(hazards=Hazard.CLAIM_WITHOUT_FENCE)
    out = one.begin(VM, Claim(4, (ONE,), 7))
    assert out == [Spend(7), Send(MEMORY, LoadWords(4, Side.ZEROER, (10,)))]


def test_pages_are_claimed_one_after_the_other():
    one = words(fine=True)
    one.begin(VM, Claim(4, (ONE, TWO), 0))
    performed(one)
    assert one.words_loaded(WordsLoaded(4, (zeroer_word(77, 1, Work.STOPPED),))) == []
    assert one.buffer.entries == [Buffered(4, 0, words=((FAR_FRAME, thief_word(77)),))]
    assert performed(one) == [Send(OTHER_MEMORY, LoadWords(4, Side.ZEROER, (FAR_FRAME,)))]
    out = one.words_loaded(WordsLoaded(4, (zeroer_word(77, 2, Work.DONE),)))
    assert out == [Send(VM, Claimed(4, ((ONE[0], 1), (TWO[0], 2))))]
    assert one.under_way == {}


def test_while_the_thread_is_at_a_chunk_its_word_is_read_again():
    one = words(fine=True)
    one.begin(VM, Claim(4, (ONE,), 0))
    performed(one)
    again = one.words_loaded(WordsLoaded(4, (zeroer_word(77, 0, Work.GOES_ON),)))
    assert again == [Timer(COSTS.zero_page_ns // 2, Poll(4))]
    assert one.poll(Poll(4)) == [Send(MEMORY, LoadWords(4, Side.ZEROER, (10,)))]


def test_a_word_of_another_take_says_that_nothing_is_done():
    one = words()
    one.begin(VM, Claim(4, (ONE,), 0))
    performed(one)
    out = one.words_loaded(WordsLoaded(4, (zeroer_word(76, 1, Work.DONE),)))
    assert out == [Send(VM, Claimed(4, ((ONE[0], 0),)))]


def test_a_clone_claims_on_its_own():
    one = words()
    one.begin(VM, Claim(4, (ONE,), 0))
    twin = one.clone(OnCore(), Buffer(entries=[]))
    assert twin.freeze() == one.freeze()
    assert len(performed(twin)) == 1
    assert twin.freeze() != one.freeze()
    assert not one.under_way[4].fenced
