"""Cells: what a measure keeps while a run goes on, one class for each kind of measure.

A cell tells the intake which facts it is fed by, and puts its figures into the metrics at any time.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from actors.facts import CallEnded, Fact
from cluster.results.figures import Metrics, put, put_labelled, read
from cluster.results.histogram import Histogram
from cluster.results.measure import Counted, Distribution, Level, Measure, Records, Sum
from cluster.results.page_meter import PageMeter
from cluster.results.takers import (
    Taker,
    Tally,
    lasted_takers,
    level_taker,
    once_takers,
    tally_taker,
)

_Kept = TypeVar("_Kept")


class Intake:
    """Who takes which facts in; a tally that several cells read is kept once."""

    def __init__(self) -> None:
        """Start with nobody."""
        self.takers: dict[type[Fact], list[Taker]] = {}
        self._tallies: dict[Hashable, Tally] = {}

    def on(self, fact: type[Fact], take: Taker) -> None:
        """Let a function take every fact of a class."""
        self.takers.setdefault(fact, []).append(take)

    def tally(self, feed: Counted) -> Tally:
        """Return the tally of a feed: the same for all feeds that count the same."""
        key = (feed.fact, feed.add, feed.by, feed.if_any, feed.once_a_call)
        known = self._tallies.get(key)
        if known is not None:
            return known
        tally: Tally = defaultdict(int)
        self._tallies[key] = tally
        if feed.once_a_call:
            take, end = once_takers(feed, tally)
            self.on(CallEnded, end)
        else:
            take = tally_taker(feed, tally)
        self.on(feed.fact, take)
        return tally


class Cell(Protocol):
    """Keeps what one measure needs."""

    def report(self, metrics: Metrics) -> None:
        """Put the figures so far in their places, after those of earlier measures."""
        ...


class SumCell:
    """A sum, or one for each value of the label."""

    def __init__(self, measure: Sum, intake: Intake) -> None:
        """Start at 0."""
        self._measure = measure
        self._fed = [(feed, intake.tally(feed)) for feed in measure.fed]

    def report(self, metrics: Metrics) -> None:
        """Put the sums in their places."""
        measure = self._measure
        sums = dict.fromkeys(measure.values, 0)
        for feed, tally in self._fed:
            for value, count in _by_value(feed, tally).items():
                assert value in sums or not measure.values, f"{measure.name}: {value!r}"
                sums[value] = sums.get(value, 0) + count * measure.times
        if not measure.label:
            put(metrics, measure.name, sums.get("", 0))
            return
        if measure.like:
            sums = {value: sums.get(value, 0) for value in read(metrics, measure.like)}
        put_labelled(metrics, measure.name, sums)


class DistributionCell:
    """Durations of what goes on in each lane, by value of the label, or all together."""

    def __init__(self, measure: Distribution, intake: Intake, *, timed: bool) -> None:
        """Start with nothing that lasted; without time only counts mean something."""
        self._measure = measure
        self._timed = timed
        self._durations: dict[Any, Histogram] = {}
        start, end = lasted_takers(measure.fed, self._durations)
        intake.on(measure.fed.start, start)
        intake.on(measure.fed.end, end)

    def report(self, metrics: Metrics) -> None:
        """Put counts, sums and percentiles in their places."""
        measure, durations = self._measure, self._durations
        if not measure.label:
            put(metrics, measure.name, self._spread(durations.get(None, Histogram())))
            return
        found = _named(durations, measure.fed.names)
        put_labelled(metrics, measure.name, {k: self._spread(v) for k, v in found.items()})

    def _spread(self, durations: Histogram) -> dict[str, Any]:
        spread: dict[str, Any] = msgspec.to_builtins(durations.spread(timed=self._timed))
        return spread


class LevelCell:
    """A level in parts, and their total."""

    def __init__(self, measure: Level, intake: Intake) -> None:
        """Start at 0."""
        self._measure = measure
        self._meter = PageMeter()
        intake.on(measure.fed.fact, level_taker(measure.fed, self._meter))

    def advance(self, when: int) -> None:
        """Go on to `when` without a change."""
        self._meter.advance(when)

    def report(self, metrics: Metrics) -> None:
        """Put peak, mean and end in their places."""
        put(metrics, self._measure.name, msgspec.to_builtins(self._meter.total()))
        if self._measure.by_part:
            parts = msgspec.to_builtins(self._meter.by_part())
            put_labelled(metrics, self._measure.by_part, parts)


class RecordsCell:
    """Events one by one, with the time."""

    def __init__(self, measure: Records, intake: Intake, *, timed: bool) -> None:
        """Start with none."""
        self._measure = measure
        self._records: list[dict[str, Any]] = []

        def take(when: int, _actor: int, fact: Fact) -> None:
            told = {key: getattr(fact, field) for key, field in measure.fed.fields.items()}
            self._records.append({**told, "when_ns": when if timed else None})

        intake.on(measure.fed.fact, take)

    def report(self, metrics: Metrics) -> None:
        """Put the list in its place."""
        put(metrics, self._measure.name, list(self._records))


def cell_of(measure: Measure, intake: Intake, *, timed: bool) -> Cell:
    """Make the cell of a measure, empty."""
    if isinstance(measure, Sum):
        return SumCell(measure, intake)
    if isinstance(measure, Distribution):
        return DistributionCell(measure, intake, timed=timed)
    if isinstance(measure, Level):
        return LevelCell(measure, intake)
    assert isinstance(measure, Records)
    return RecordsCell(measure, intake, timed=timed)


def _by_value(feed: Counted, tally: Tally) -> dict[str, int]:
    """Return what a feed counted, by value of the label; by "" if it tells none apart."""
    if feed.only is not None:
        return {feed.value: tally.get(feed.only, 0)}
    if feed.by:
        return _named(tally, feed.names)
    return {feed.value: tally.get(None, 0)}


def _named(by_value: Mapping[Any, _Kept], names: Mapping[Any, str]) -> dict[str, _Kept]:
    """Return it with names for values, in the order of the values."""
    return {names.get(v, str(v)): by_value[v] for v in sorted(by_value)}
