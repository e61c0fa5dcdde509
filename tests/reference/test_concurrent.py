"""A small part of the comparisons of threads that run at once; `compare.py` makes all of them."""

import pytest

from kernel.stamp import stamp
from tests.reference import apart, racing
from tests.reference.accepted import Search
from tests.reference.guests import Guest
from tests.reference.rules import RULES
from tests.reference.runs import difference, race
from tests.reference.sequential import Event

#: names of guests whose threads work apart
APART = tuple(
    f"7/{number}"
    for number in [
        "0",
        "5",
        "6",
        "7",
        "9",
        "15",
        "16",
        "17",
        "21",
        "22",
        "24",
        "26",
        "27",
        "28",
        "29",
        "31",
        "32",
        "33",
        "36",
        "37",
        "38",
        "39",
        "42",
        "44",
        "46",
        "47",
        "49",
        "53",
        "56",
        "59",
    ]
)
#: ... and race
RACING = tuple(
    f"7/{number}"
    for number in [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "9",
        "10",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "21",
        "22",
        "23",
        "24",
        "25",
        "26",
        "27",
        "28",
        "29",
        "30",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "38",
        "39",
        "40",
        "42",
        "43",
        "44",
        "45",
        "47",
        "48",
        "49",
        "50",
        "51",
        "52",
        "53",
        "54",
    ]
)


@pytest.mark.parametrize("preset", RULES)
def test_threads_that_work_apart_see_exact_values(preset: str) -> None:
    for name in APART:
        assert difference(apart.drawn(name), preset, name) == ("", ""), name


@pytest.mark.parametrize("preset", RULES)
def test_threads_that_race_see_what_some_order_explains(preset: str) -> None:
    for number, name in enumerate(RACING):
        order = name if number % 2 else ""
        assert race(racing.drawn(name), preset, order) == ("", ""), name


def test_an_instruction_awaits_only_what_was_drawn_before() -> None:
    for name in APART:
        guest = apart.drawn(name)
        assert guest == apart.drawn(name)
        assert all(max(after, default=-1) < n for n, after in enumerate(guest.after)), name


OK = ("call", 0)
#: two threads of one process: a, after it has created b, and b
SETS = "map 1 1; create 1"


def explained(preset: str, lines: tuple[str, str], seen: tuple[list[Event], list[Event]]) -> bool:
    order = [(thread, line) for thread in (0, 1) for line in lines[thread].split("; ")]
    after = ((),) * len(order)
    guest = Guest("written", ((0, 0), (0, 1)), tuple(order), after, fences=False)
    programs, _ = guest.programs()
    names = [[stamp(t, i, 0) for i in range(len(p))] for t, p in enumerate(programs)]
    return Search(guest, preset, [list(one) for one in seen], names).explains() == ""


A2, A3, B0 = stamp(0, 2, 0), stamp(0, 3, 0), stamp(1, 0, 0)


@pytest.mark.parametrize(
    ("lines", "seen", "right"),
    [
        # TSO: both may miss the other's store, but not with fences
        (("store 1.0; load 1.200", "store 1.200; load 1.0"), (0, 0), True),
        (("store 1.0; fence; load 1.200", "store 1.200; fence; load 1.0"), (0, 0), False),
        # stores come in order
        (("store 1.0; store 1.200", "load 1.200; load 1.0"), (A3, A2), True),
        (("store 1.0; store 1.200", "load 1.200; load 1.0"), (A3, 0), False),
        # what was read stays read
        (("store 1.0", "load 1.0; load 1.0"), (0, A2), True),
        (("store 1.0", "load 1.0; load 1.0"), (A2, 0), False),
    ],
)
def test_stores_of_two_threads(lines: tuple[str, str], seen: tuple[int, int], right: bool) -> None:
    loads = [("load", value) for value in seen]
    a: list[Event] = [OK]
    b: list[Event] = []
    for one, events in ((lines[0], a), (lines[1], b)):
        for index, line in enumerate(one.split("; ")):
            if line.startswith("store"):
                events.append(
                    ("store", stamp(0 if events is a else 1, index + 2 * (events is a), 0))
                )
            elif line.startswith("load"):
                events.append(loads.pop(0))
    assert explained("fatal-hole", (f"{SETS}; {lines[0]}", lines[1]), (a, b)) is right


@pytest.mark.parametrize(
    ("preset", "call", "after", "right"),
    [
        ("fatal-hole", "hole 1 1", ("segv", 1, 3), True),
        ("fatal-hole", "hole 1 1", ("store", B0), True),
        ("fatal-hole", "hole 1 1", ("segv", 1, 1), False),
        ("unmap", "unmap 1 1", ("segv", 1, 1), True),
        ("unmap", "unmap 1 1", ("segv", 1, 2), False),
        ("fatal-hole", "protect 1 1 r", ("segv", 1, 2), True),
        ("flag-only", "hole 1 1", ("store", B0), True),
        ("flag-only", "hole 1 1", ("segv", 1, 3), False),
    ],
)
def test_a_store_that_meets_a_call(preset: str, call: str, after: Event, right: bool) -> None:
    seen: tuple[list[Event], list[Event]] = ([OK, OK], [after])
    assert explained(preset, (f"{SETS}; {call}", "store 1.0"), seen) is right


@pytest.mark.parametrize(
    ("preset", "value", "right"),
    [
        ("fatal-hole", B0, True),  # the store came after the grant
        ("fatal-hole", 0, True),
        ("fatal-hole", 77, False),
        ("dontneed-linux", B0, True),
    ],
)
def test_a_store_that_meets_a_zero(preset: str, value: int, right: bool) -> None:
    seen: tuple[list[Event], list[Event]] = ([OK, OK, ("load", value)], [("store", B0)])
    assert explained(preset, (f"{SETS}; zero 1 1; load 1.0", "store 1.0"), seen) is right


@pytest.mark.parametrize("preset", ["fatal-hole", "deferred-tlb-strict", "deferred-tlb"])
def test_who_has_stored_before_zero_was_called_is_zeroed(preset: str) -> None:
    lines = f"{SETS}; store 1.0; zero 1 1; load 1.0", "load 1.200"
    first, name = [("load", 0)], stamp(0, 2, 0)
    seen: tuple[list[Event], list[Event]] = ([OK, ("store", name), OK, ("load", 0)], first)
    assert explained(preset, lines, seen)
    seen[0][-1] = ("load", name)
    assert not explained(preset, lines, seen)
