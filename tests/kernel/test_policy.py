"""Policies: which combinations are refused, and what each promises."""

from enum import EnumMeta

import pytest

from cluster.input_error import InputError
from cluster.scenario.setup import policy_of
from kernel.policy.keys import Policy, concerned, zero_may_skip
from kernel.policy.presets import PRESET_ABOUT, PRESET_OPEN, PRESETS
from kernel.policy.promises import ALWAYS, Property, promises
from kernel.policy.refusals import refusals
from kernel.policy.texts import KEY_ABOUT, VALUE_ABOUT
from tests.support.contended_guests import POLICIES
from tests.support.places import TESTS


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
                "fork_hole": "cow-share",
            },
            "invalidate=none has none",
        ),
        (
            {"rogue": "reuse-page", "hole_access": "fatal"},
            "no touch survives: set hole_access=permissive",
        ),
        ({"regrant": "ipi"}, "set no_access=keep-pte"),
        ({"regrant": "ipi", "no_access": "keep-pte"}, "set grant=eager"),
        (
            {"hole_state": "page-flag", "hole_access": "permissive"},
            "hole_state=page-flag records none",
        ),
        (
            {"invalidate": "deferred-at-switch", "track_clean": "on"},
            "set invalidate=eager-ipi",
        ),
        ({"shadow_anon": "ignore"}, "ignore is for advice=free"),
        ({"advice": "unmap", "commit_checks": "on"}, "set commit_checks=off"),
    ],
)
def test_nonsense_is_refused_with_the_reason(keys: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError) as refused:
        policy_of({"preset": "fatal-hole", **keys}, "x.toml")
    assert "x.toml: this policy makes no sense: " in str(refused.value)
    assert reason in str(refused.value)
    assert any(key in str(refused.value) for key in keys)


def test_every_preset_makes_sense_and_is_described() -> None:
    assert list(PRESETS) == list(PRESET_ABOUT), "kernel/policy/presets.py: PRESET_ABOUT"
    for policy in PRESETS.values():
        assert refusals(policy) == []


def test_keys_of_hole_zero_do_not_concern_other_advice() -> None:
    name, policy = policy_of({"preset": "madv-free", "no_access": "none"}, "x")
    assert (name, policy.no_access) == ("madv-free", "none")
    meant = {"advice", "errors", "commit_checks", "shadow_anon", "read_fill", "daemon_batch"}
    assert concerned(policy) == meant
    assert concerned(PRESETS["flag-only"]) == set(Policy.__struct_fields__)


def test_every_key_and_value_is_explained() -> None:
    assert list(KEY_ABOUT) == list(Policy.__struct_fields__), "kernel/policy/texts.py: KEY_ABOUT"
    values = {
        (key, value)
        for key in KEY_ABOUT
        if isinstance(kind := type(getattr(Policy(), key)), EnumMeta)
        for value in kind
    }
    assert set(VALUE_ABOUT) == values, "kernel/policy/texts.py: VALUE_ABOUT"
    assert set(PRESET_OPEN) <= set(PRESETS)


def test_every_value_is_run_by_a_preset_by_random_guests_or_by_a_script() -> None:
    run = {(key, str(getattr(p, key))) for p in PRESETS.values() for key in concerned(p)}
    run |= {pair for keys in POLICIES.values() for pair in keys.items()}
    for path in (TESTS / "scripts").glob("*.txt"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("policy "):
                run |= {(k, v) for k, _, v in (w.partition("=") for w in line.split()[1:])}
    assert set(VALUE_ABOUT) - run == set(), (
        "no test asks for it: write a script of tests/scripts, and add a row to POLICIES of "
        "tests/support/contended_guests.py"
    )


def test_an_unknown_key_or_value_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `zeroing`"):
        policy_of({"zeroin": "inline"}, "x")
    with pytest.raises(InputError, match="backgroun"):
        policy_of({"zeroing": "backgroun"}, "x")


_FATAL = {Property.ZERO_WEAK, Property.ZERO_STRONG, Property.FATAL}
PROMISED: dict[str, set[Property]] = {
    "apple": set(),
    "flag-only": {Property.ZERO_WEAK},
    "flag-fatal": {Property.ZERO_WEAK},
    "fatal-hole": _FATAL,
    "deferred-tlb": {Property.ZERO_WEAK, Property.FATAL},
    "deferred-tlb-strict": _FATAL,
    "broadcast-tlb": _FATAL,
    "madv-free": set(),
    "madv-free-rewind": set(),
    "madv-free-punched": set(),
    "dontneed-linux": {Property.ZERO_WEAK},
    "dontneed-freebsd": set(),
    "unmap": set(),
}


@pytest.mark.parametrize("name", PRESETS)
def test_what_each_preset_promises(name: str) -> None:
    assert name in PROMISED, "say here in PROMISED what the preset promises"
    assert promises(PRESETS[name]) - ALWAYS == PROMISED[name]
    rewinds = {Property.FORK} if name == "madv-free-rewind" else set()
    assert promises(PRESETS[name]) >= ALWAYS - rewinds


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
