"""The table of real bugs: every number once, and whatever a row names exists."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cluster.__main__ import main
from cluster.documents.protocol_doc import render
from cluster.input_error import InputError
from cluster.results.meter import Results
from cluster.scenario.setup import policy_of
from kernel.hazards.catalogue import BY_NAME, CATALOGUE
from kernel.hazards.real_bugs import KIND_ABOUT, TABLE, Kind, Row, counts
from kernel.policy.keys import Policy, concerned
from kernel.policy.presets import PRESETS
from kernel.policy.promises import Property, promises
from tests.support.places import TESTS

SCRIPTS = {path.stem for path in (TESTS / "scripts").glob("*.txt")}
#: a number of the table in prose, but not numbers of CVEs or Linux commits
NUMBER = re.compile(r"(?<![\w-])(?:H-\d+|M\d+|rule \d+)(?!\w)")
#: (switch, number that it resembles) although the number's row does not name the switch
IN_SHAPE = {
    ("zero-after-grant", "M12"),  # two steps change places there, too, but other ones
    ("slot-freed-in-use", "M6"),  # it does not wait at all, so it cannot go on too soon
}


def of(*kinds: Kind) -> list[Row]:
    return [row for row in TABLE if row.kind in kinds]


def test_every_number_is_there_once_and_in_order() -> None:
    numbers = [f"H-{n}" for n in range(1, 49)]
    numbers += [f"M{n}" for n in range(1, 21)]
    numbers += [f"rule {n}" for n in range(1, 18)]
    assert [row.name for row in TABLE] == numbers


def test_every_row_says_what_it_is_about_in_a_sentence_of_its_own() -> None:
    assert all(re.fullmatch(r"[A-Z].*\.", row.what) for row in TABLE)
    assert all(re.fullmatch(r"([A-Z].*\.)?", row.note) for row in TABLE)
    assert [what for what, n in Counter(row.what for row in TABLE).items() if n > 1] == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_kind_has_what_it_needs(row: Row) -> None:
    shows = row.kind in (Kind.HAZARD, Kind.POLICY, Kind.MODELLED)
    assert bool(row.shown_by) == shows
    assert len(set(row.shown_by)) == len(row.shown_by)
    assert bool(row.seen_in) == (row.kind is Kind.POLICY)
    if row.kind is Kind.OUT_OF_SCOPE:
        assert row.note, "why not"


def test_switches_that_it_names_are_in_the_catalogue() -> None:
    named = {name for row in of(Kind.HAZARD) for name in row.shown_by}
    assert named - set(BY_NAME) == set()


def test_scripts_that_it_names_are_there() -> None:
    named = {name for row in of(Kind.MODELLED) for name in row.shown_by}
    assert named - SCRIPTS == set()


@pytest.mark.parametrize("row", of(Kind.POLICY), ids=lambda row: row.name)
def test_policies_that_it_names_make_sense_and_do_not_promise_what_is_seen(row: Row) -> None:
    assert row.seen_in in {*Property, *Results().metrics()}
    for word in row.shown_by:
        found = list(_policies(word))
        assert found, f"no preset can have {word}"
        if row.seen_in in set(Property):
            assert not any(row.seen_in in promises(policy) for policy in found)


def _policies(word: str) -> Iterator[Policy]:
    """Yield a preset, or all presets under which a key with this value makes sense and counts."""
    key, _, value = word.partition("=")
    for base in PRESETS if key != "preset" else (value,):
        with suppress(InputError):  # refused there
            _, policy = policy_of({"preset": base, key: value}, "the table")
            if key == "preset" or key in concerned(policy):
                yield policy


def test_every_number_in_the_catalogue_leads_to_a_row_that_names_the_switch() -> None:
    rows = {row.name: row for row in TABLE}
    missing = {
        (info.name, number)
        for info in CATALOGUE.values()
        for number in NUMBER.findall(info.resembles)
        if info.name not in rows[number].shown_by
    }
    assert missing - IN_SHAPE == set(), (
        "add the switch to the row of that number in kernel/hazards/real_bugs.py, or leave the "
        "number out of `resembles`"
    )


def test_every_switch_is_named_or_resembles_nothing_with_a_number() -> None:
    named = {name for row in TABLE for name in row.shown_by}
    left = {info.name: info.resembles for info in CATALOGUE.values() if info.name not in named}
    assert {name for name, text in left.items() if NUMBER.search(text)} == set(), (
        "no row of kernel/hazards/real_bugs.py names the switch"
    )


def test_numbers_that_notes_refer_to_are_there() -> None:
    names = {row.name for row in TABLE}
    for row in TABLE:
        assert set(NUMBER.findall(row.note)) <= names - {row.name}


def test_kinds_are_explained_and_counted() -> None:
    assert list(counts(TABLE)) == list(Kind) == list(KIND_ABOUT)
    assert sum(counts(TABLE).values()) == len(TABLE)


def test_the_document_has_every_row() -> None:
    text = render()
    for row in TABLE:
        assert f"| {row.name} | {row.what} | {row.kind} |" in text
    for kind, count in counts(TABLE).items():
        assert f"* {kind} ({count}): " in text


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["hazards", "--sources", *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys).splitlines()
    assert len(lines) == 1 + len(TABLE)
    for row, line in zip(TABLE, lines[1:], strict=True):
        assert line.startswith(row.name)
        assert all(word in line for word in (row.what, row.kind, *row.shown_by, row.note))


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(told(capsys, "--json"))
    assert [row["name"] for row in rows] == [row.name for row in TABLE]
    assert rows[14] == {
        "name": "H-15",
        "what": TABLE[14].what,
        "kind": "hazard",
        "shown_by": ["generation-after-mask"],
        "seen_in": "",
        "note": "",
    }


def test_the_command_prints_what_some_switches_show(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(told(capsys, "lost-ack", "ack-before-flush", "--json"))
    assert [row["name"] for row in rows] == ["H-41", "M20"]
    assert told(capsys, "lost-ack").startswith("no number is shown by lost-ack")
    assert main(["hazards", "--sources", "--check"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(["hazards", "--sources", "lost-akc"]) == 2
