"""Measures as lines of a table: for each row that one declares, a label and a text for each run."""

from collections.abc import Iterator, Mapping, Sequence

from cluster.results import measures
from cluster.results.figures import Metrics, read
from cluster.results.measure import Joined, Measure, Row, Section, Sum, Unit, at_value, label_of

#: label, then one text for each run
Line = tuple[str, list[str]]

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"))


def duration(ns: int) -> str:
    """Write a duration for a reader: three significant digits and a unit."""
    for size, unit in _UNITS:
        if ns >= size:
            value = ns / size
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{ns} ns"


def measured(
    section: Section, runs: Sequence[Metrics], titles: Mapping[str, str] | None = None
) -> list[Line]:
    """Return the lines that measures have in a section.

    titles: what calls are called in these runs, where that is not what it is elsewhere.
    """
    names = titles or {}
    found = [one for measure in measures.ALL for one in _lines(measure, section, runs, names)]
    return [line for _, line in sorted(found, key=lambda one: one[0])]


def _lines(
    measure: Measure, section: Section, runs: Sequence[Metrics], titles: Mapping[str, str]
) -> Iterator[tuple[int, Line]]:
    """Make the lines of a measure, with their order; those of one value of its label together."""
    rows = [row for row in measure.rows if row.section is section]
    labelled = [row for row in rows if label_of(row.text)]
    if labelled:
        found = [read(run, measure.name, measure.values) for run in runs]
        for value in dict.fromkeys(value for one in found for value in one):
            for row in labelled:
                yield from _line(measure, row, value, runs, titles)
    for row in rows:
        if row not in labelled:
            yield from _line(measure, row, "", runs, titles)


def _line(
    measure: Measure, row: Row, value: str, runs: Sequence[Metrics], titles: Mapping[str, str]
) -> Iterator[tuple[int, Line]]:
    """Make the line of a row, unless there is nothing to say."""
    found = [_figures(measure, row, value, run) for run in runs]
    if row.always or any(figure for figures in found for figure in figures):
        title = measure.titles.get(value, value.replace("_", " "))
        title = titles.get(value, title) if measure is measures.CALLS else title
        paths = row.shows or (measure.name,)
        texts = [_text(row.joined, paths, figures) for figures in found]
        yield row.order, (at_value(row.text, title), texts)


def _figures(measure: Measure, row: Row, value: str, run: Metrics) -> list[float | None]:
    """Return what a row shows of a run; None where there is nothing."""
    figures = []
    for place, path in enumerate(row.shows or (measure.name,)):
        figure: float | None = 0 if isinstance(measure, Sum) else None
        if not place or not row.second_for or value in row.second_for:
            at = at_value(path, value) if value else path
            known = [one for one in read(run, at, measure.values).values() if one is not None]
            figure = sum(known) if known else figure
        if measure.unit is Unit.BYTES and figure is not None:
            figure //= 1024
        figures.append(figure)
    return figures


def _text(joined: Joined, paths: Sequence[str], figures: Sequence[float | None]) -> str:
    first, *rest = map(_number, paths, figures)
    if not rest or all(figure is None for figure in figures):
        return first
    if joined is Joined.BESIDE:
        return f"{first} / {rest[0]}"
    if joined is Joined.OF_WHICH:
        return f"{first} ({rest[0]})"
    count, in_all = figures
    return f"{first} x {in_all / count:,.0f} pages" if count and in_all else first


def _number(path: str, figure: float | None) -> str:
    if figure is None:
        return "-"  # none, or a free run, which has no simulated time
    if path.endswith("_ns"):
        return duration(int(figure))
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:,.{int(figure < 10)}f}"
