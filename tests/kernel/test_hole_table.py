"""The hole table is total, and PROTOCOL.md shows all of it."""

from itertools import product

import pytest

from cluster.documents.protocol_doc import render
from kernel.hole import (
    ILLEGAL,
    ILLEGAL_BECAUSE,
    TABLE,
    Action,
    HoleEvent,
    HoleState,
    IllegalTransitionError,
    transition,
)


def test_every_pair_is_a_row_or_illegal_and_never_both() -> None:
    pairs = set(product(HoleState, HoleEvent))
    assert set(TABLE) | ILLEGAL == pairs
    assert set(TABLE) & ILLEGAL == set()


def test_a_pair_is_illegal_for_one_reason() -> None:
    assert len(ILLEGAL) == sum(len(pairs) for pairs in ILLEGAL_BECAUSE.values())


@pytest.mark.parametrize(("state", "event"), sorted(ILLEGAL))
def test_illegal_pairs_raise(state: HoleState, event: HoleEvent) -> None:
    message = f"{event.name} on a page that is {state.name}"
    with pytest.raises(IllegalTransitionError, match=message):
        transition(state, event)


def test_every_state_is_reached_from_live_and_can_be_left() -> None:
    reached, todo = {HoleState.LIVE}, [HoleState.LIVE]
    while todo:
        state = todo.pop()
        for (before, _), (after, _) in TABLE.items():
            if before is state and after is not None and after not in reached:
                reached.add(after)
                todo.append(after)
    assert reached == set(HoleState)


_LEAVES_IT = frozenset({Action.WAIT, Action.REFUSE})


def test_to_wait_or_to_refuse_changes_nothing() -> None:
    for (state, _), (after, actions) in TABLE.items():
        if _LEAVES_IT.intersection(actions):
            assert after is state
            assert len(actions) == 1


def test_only_what_is_zero_is_granted_or_freed_as_zero() -> None:
    for (state, event), (_, actions) in TABLE.items():
        if event is HoleEvent.GRANT or Action.FREE_ZEROED in actions:
            assert state is HoleState.ZEROED


def test_a_page_leaves_the_resident_set_once() -> None:
    for (state, _), (after, actions) in TABLE.items():
        if Action.ACCOUNT_OUT in actions:
            assert state is HoleState.LIVE
        if Action.ACCOUNT_IN in actions:
            assert state is not HoleState.LIVE
            assert after is HoleState.LIVE


def test_protocol_md_names_every_message_event_and_state() -> None:
    text = render()
    for name in [*(e.name for e in HoleEvent), *(s.name for s in HoleState)]:
        assert name in text
    assert "| `Ipi` | `core <- core, pagedaemon, zeroer` |" in text
