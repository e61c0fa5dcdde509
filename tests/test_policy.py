"""Policies: which combinations are refused, and what each promises."""

import pytest

from cluster.input_error import InputError
from cluster.setup import policy_of
from kernel.policy import (
    PRESET_ABOUT,
    PRESETS,
    Policy,
    concerned,
    refusals,
    zero_may_skip,
)
from kernel.promises import ALWAYS, Property, promises


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            {"hole_access": "fatal", "hole_state": "page-flag"},
            "a page flag keeps no record of an address whose page is gone",
        ),
        ({"no_access": "none", "invalidate": "eager-ipi"}, "nothing to invalidate"),
        ({"no_access": "keep-pte", "invalidate": "none"}, "never from the TLBs"),
        ({"no_access": "remove-pte", "invalidate": "none"}, "never from the TLBs"),
        (
            {"zero_not_started": "zero-then-repermit", "hole_state": "map-entry"},
            "HOLE holds the map write lock until its shootdown is complete",
        ),
        (
            {
                "zero_not_started": "zero-then-repermit",
                "hole_state": "page-flag",
                "hole_access": "permissive",
                "no_access": "none",
                "invalidate": "none",
            },
            "invalidate=none has none",
        ),
        ({"rogue": "reuse-page", "hole_access": "fatal"}, "none is: set hole_access=permissive"),
    ],
)
def test_nonsense_is_refused_with_the_reason(keys: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError) as refused:
        policy_of({"preset": "fatal-hole", **keys}, "x.toml")
    assert "x.toml: this policy makes no sense: " in str(refused.value)
    assert reason in str(refused.value)
    assert any(key in str(refused.value) for key in keys)


def test_every_preset_makes_sense_and_is_described() -> None:
    assert list(PRESETS) == list(PRESET_ABOUT)
    for policy in PRESETS.values():
        assert refusals(policy) == []


def test_keys_of_hole_zero_do_not_concern_other_advice() -> None:
    name, policy = policy_of({"preset": "madv-free", "no_access": "none"}, "x")
    assert (name, policy.no_access) == ("madv-free", "none")
    assert concerned(policy) == {"advice", "errors", "daemon_batch"}
    assert concerned(PRESETS["flag-only"]) == set(Policy.__struct_fields__)


def test_an_unknown_key_or_value_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `zeroing`"):
        policy_of({"zeroin": "inline"}, "x")
    with pytest.raises(InputError, match="backgroun"):
        policy_of({"zeroing": "backgroun"}, "x")


PROMISED = {
    "flag-only": {Property.ZERO_WEAK},
    "fatal-hole": {Property.ZERO_WEAK, Property.ZERO_STRONG, Property.FATAL},
    "madv-free": set(),
    "dontneed-linux": {Property.ZERO_WEAK},
    "unmap": set(),
}


@pytest.mark.parametrize("name", PRESETS)
def test_what_each_preset_promises(name: str) -> None:
    assert promises(PRESETS[name]) - ALWAYS == PROMISED[name]
    assert promises(PRESETS[name]) >= ALWAYS


def test_strong_zero_needs_every_way_in_to_be_closed() -> None:
    for change in (
        {"hole_access": "permissive"},
        {"no_access": "none", "invalidate": "none", "hole_access": "permissive"},
    ):
        _, policy = policy_of({"preset": "fatal-hole", **change}, "x")
        assert Property.ZERO_STRONG not in promises(policy)
        assert Property.ZERO_WEAK in promises(policy)


def test_zero_trusts_the_zeroing_thread_only_behind_closed_doors() -> None:
    assert zero_may_skip(Policy())
    assert not zero_may_skip(PRESETS["flag-only"])
