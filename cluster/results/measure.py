"""What a measure is: a figure of a run, with its meaning, its place, and the facts that feed it.

Values only. `measures` declares every measure once; the meter, the summary, the tables and the
Prometheus metrics are made from the declarations, so none of them names a measure again.

A path such as `ipis.sent` says where a figure is in the `metrics` of summary.json. `{cause}` in it
is a label: there is a figure for each of its values.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from actors.facts import Fact

_LABEL = re.compile(r"\{(\w+)\}")


class Unit(StrEnum):
    """What the figures of a measure count."""

    EVENTS = "events"
    PAGES = "pages"
    GRANULES = "granules"
    BYTES = "bytes"
    NS = "ns"


class Section(StrEnum):
    """The parts of a table of runs that measures have rows in, by their titles."""

    RUN = ""
    CALLS = "system calls"
    FAULTS = "page faults"
    SHOOTDOWNS = "TLB shootdowns"
    MEMORY = "memory, in pages"
    SOMETIMES = "sometimes (events in which it showed)"


class Joined(StrEnum):
    """How two figures of one row are put together."""

    BESIDE = "a / b"
    OF_WHICH = "a (b)"
    #: b in all, told as its mean for each a
    EACH = "a x b/a"


class Row(msgspec.Struct, frozen=True):
    """A row that a measure has in tables of runs."""

    section: Section
    #: with the measure's label in it: a row for each value that some run has
    text: str
    #: paths of its figures; none: of the measure itself. A label that `text` lacks is summed over
    shows: tuple[str, ...] = ()
    joined: Joined = Joined.BESIDE
    #: also where every figure is 0
    always: bool = False
    #: rows of a section are in this order, those of the same order as declared
    order: int = 0
    #: values of the label whose rows have the second figure
    second_for: frozenset[str] = frozenset()


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are counted, or of which a field is added up."""

    fact: type[Fact]
    #: the field to add up; none: each fact counts 1
    add: str = ""
    #: the field that says which value of the label a fact is for, or what `only` wants
    by: str = ""
    #: values of that field as values of the label
    names: Mapping[Any, str] = {}
    #: the label's value of all these facts, in place of `by`
    value: str = ""
    #: count only facts whose `by` is this
    only: int | str | None = None
    #: count only facts whose field of that name is not 0
    if_any: str = ""
    #: count a value of `by` once in each system call
    once_a_call: bool = False


class Lasted(msgspec.Struct, frozen=True, kw_only=True):
    """Durations: from one fact of an operation to another."""

    start: type[Fact]
    end: type[Fact]
    #: a field of `end`: what lasts on after it, in ns
    more: str = ""
    #: the field of `end` that says which value of the label it is for
    by: str = ""
    names: Mapping[Any, str] = {}


class Stood(msgspec.Struct, frozen=True, kw_only=True):
    """A level: each fact says what it is from now on, in one of its parts."""

    fact: type[Fact]
    #: the field that holds the level
    at: str
    #: the field that names the part; none: the actor that states the fact
    part: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that are kept one by one, with the time."""

    fact: type[Fact]
    #: key in the record -> field of the fact
    fields: Mapping[str, str]


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What all kinds of measures have."""

    #: its path in the `metrics` of summary.json
    name: str
    unit: Unit
    #: one sentence
    help: str
    rows: tuple[Row, ...] = ()
    #: values of the label that are there in any case; none: those that occurred
    values: tuple[str, ...] = ()
    #: what tables call values of the label, where that is not the value with spaces
    titles: Mapping[str, str] = {}
    #: name of the Prometheus metric after `holezero_`; none: it is not exposed
    exposed: str = ""

    @property
    def label(self) -> str:
        """Return the name of the label, or ""."""
        return label_of(self.name)


class Sum(Measure, frozen=True, kw_only=True):
    """A figure that only grows."""

    fed: tuple[Counted, ...]
    #: what one of what the facts count is, in `unit`
    times: int = 1
    #: the path of a measure: only values of the label that occur there
    like: str = ""


class Distribution(Measure, frozen=True, kw_only=True):
    """Durations, as count, sum, mean and percentiles; exposed is their count."""

    fed: Lasted


class Level(Measure, frozen=True, kw_only=True):
    """A figure that rises and falls, as peak, mean over time and end; exposed is what it is now."""

    fed: Stood
    #: the path of the same for each part, with the part as its label; none: not in the summary
    by_part: str = ""


class Records(Measure, frozen=True, kw_only=True):
    """Rare events, each with its particulars."""

    fed: Told


def label_of(path: str) -> str:
    """Return the name of the label in a path or a text, or ""."""
    found = _LABEL.search(path)
    return found[1] if found else ""


def at_value(path: str, value: str) -> str:
    """Put a value in the place of the label."""
    return _LABEL.sub(lambda _: value, path, count=1)
