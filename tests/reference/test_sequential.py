"""A small part of the comparison with the sequential reference; `compare.py` makes all of it."""

import ast
from collections import deque
from pathlib import Path

import pytest

from kernel.policy.keys import AdviceKind, ForkHole, HoleAccess, HoleRecord, defers
from kernel.policy.presets import PRESETS
from kernel.stamp import file_stamp, stamp
from tests.reference.advice import ADVICE
from tests.reference.guests import Guest, drawn
from tests.reference.rules import RULES
from tests.reference.runs import compared, difference
from tests.reference.sequential import Differs, Event, Reference

#: names of guests that between them make every kind of call
NAMES = tuple(
    f"7/{number}"
    for number in [
        "4",
        "14",
        "18",
        "20",
        "23",
        "30",
        "31",
        "39",
        "47",
        "50",
        "51",
        "52",
        "56",
        "57",
        "62",
        "64",
        "65",
        "69",
        "72",
        "78",
        "82",
        "87",
        "94",
        "99",
        "100",
        "105",
        "110",
        "111",
        "117",
        "119",
        "128",
        "130",
        "137",
        "141",
        "142",
        "154",
        "155",
        "159",
        "161",
        "168",
        "176",
        "179",
        "194",
        "198",
        "200",
        "202",
        "205",
        "207",
        "211",
        "213",
        "217",
        "221",
        "234",
        "238",
        "246",
        "257",
        "263",
        "270",
        "273",
        "276",
    ]
)
#: modules of the model itself, which know nothing of the machines
MODEL = ("rules", "memory", "ranges", "world", "advice", "mappings", "sequential")


@pytest.mark.parametrize("preset", RULES)
def test_a_guest_sees_what_the_reference_says(preset: str) -> None:
    found = {name: difference(drawn(name), preset) for name in NAMES}
    assert {name: one for name, one in found.items() if any(one)} == {}


def test_the_reference_shares_no_code_with_the_machines() -> None:
    for name in MODEL:
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))
        modules = [
            one.module if isinstance(one, ast.ImportFrom) else one.names[0].name
            for one in ast.walk(tree)
            if isinstance(one, ast.Import | ast.ImportFrom)
        ]
        ours = [
            one for one in modules if one and one.split(".")[0] in ("kernel", "actors", "cluster")
        ]
        assert ours == [], name


def test_its_rules_are_those_of_the_presets() -> None:
    for name, policy in PRESETS.items():
        rules = RULES[name]
        assert rules.fatal == (policy.hole_access is HoleAccess.FATAL), name
        assert rules.by_page == (policy.hole_state is HoleRecord.PAGE_FLAG), name
        assert rules.deferred == defers(policy), name
        assert rules.keeps == (policy.advice is AdviceKind.REUSABLE_REUSE), name
        assert rules.older == policy.shadow_anon, name
        assert rules.child_shares == (policy.fork_hole is ForkHole.COW_SHARE), name
        assert rules.errors == policy.errors, name
        assert rules.keeps_dontneed == (policy.advice is AdviceKind.DONTNEED_FREEBSD), name
    assert set(RULES) == set(PRESETS)


def test_the_same_name_draws_the_same_guest() -> None:
    assert drawn(NAMES[0]) == drawn(NAMES[0])
    assert {line.split()[0] for name in NAMES for _, line in drawn(name).order} >= {*ADVICE} - {
        "madv-reuse",
        "random",
        "sequential",
        "willneed",
    }


OK, SEGV_HOLE = ("call", 0), ("segv", 1, 3)


@pytest.mark.parametrize(
    ("preset", "lines", "seen", "problem"),
    [
        ("fatal-hole", "map 1 1; load 1", [OK, ("load", 7)], "load 1: saw"),
        ("fatal-hole", "map 1 1; store 1; load 1", [OK, ("store", 1), ("load", 0)], "load 1: saw"),
        ("fatal-hole", "map 1 1; hole 1 1; load 1", [OK, OK, ("load", 0)], "right is ['segv 3']"),
        ("fatal-hole", "map 1 1; hole 1 1; zero 1 1; load 1", [OK, OK, OK, SEGV_HOLE], "segv"),
        ("fatal-hole", "map 1 1; unmap 1 1; load 1", [OK, OK, ("load", 0)], "right is ['segv 1']"),
        ("fatal-hole", "map 1 1; lock 1 1; dontneed 1 1", [OK, OK, OK], "[22]"),
        ("dontneed-linux", "map 1 1; dontneed 1 2", [OK, OK], "[12]"),
        (
            "dontneed-linux",
            "map 1 1; store 1; dontneed 1 1; load 1",
            [OK, 1, OK, 1],
            "right is [0]",
        ),
        (
            "dontneed-freebsd",
            "map 1 1; store 1; dontneed 1 1; load 1",
            [OK, 1, OK, 0],
            "load 1: saw",
        ),
        ("fatal-hole", "map 1 1; incore 1 1", [OK, ("vec", "1"), OK], "incore 1 1: saw"),
        ("fatal-hole", "map 1 1; load 1", [OK], "nothing was seen"),
        ("fatal-hole", "map 1 1", [OK, OK], "more was seen"),
    ],
)
def test_what_is_not_right_is_noticed(
    preset: str, lines: str, seen: list[Event | int], problem: str
) -> None:
    order = tuple((0, line) for line in lines.split("; "))
    guest = Guest("written", ((0, 0),), order)
    name = stamp(0, 1, 0)
    events: list[Event] = []
    for index, one in enumerate(seen):
        store = order[index][1].startswith("store") if index < len(order) else False
        if isinstance(one, tuple):
            events.append(("store", name) if store else one)
        else:
            events.append(("store" if store else "load", name if one else 0))
    assert problem in compared(guest, preset, [deque(events)])


@pytest.mark.parametrize("preset", ["flag-only", "deferred-tlb"])
def test_where_several_answers_are_right_all_of_them_are(preset: str) -> None:
    threads = [(0, 0), (0, 1)]
    for value in (5, 0):
        reference = Reference(RULES[preset], threads, file_stamp)
        reference.step(0, "map 1 1", 0, deque([OK]))
        reference.step(0, "store 1", 5, deque([("store", 5)]))
        reference.step(0, "hole 1 1", 0, deque([OK]))
        reference.step(1, "load 1", 0, deque([("load", value)]))
        with pytest.raises(Differs):
            reference.step(1, "load 1", 0, deque([("load", 6)]))
