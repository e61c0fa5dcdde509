"""The parts of SOURCES.md that exist as data: calibration figures, hazards, mutations and rules."""

from collections.abc import Iterator

from cluster.calibration.experiments import EXPERIMENTS, Experiment
from cluster.documents.markdown import filled_in, table
from kernel.hazards.real_bugs import TABLE
from kernel.hazards.seen_elsewhere import SEEN


def _figure(one: Experiment) -> str:
    low, high = round(one.low), round(one.high)
    return f"{low:,} {one.unit}" if low == high else f"{low:,} to {high:,} {one.unit}"


def _calibration() -> Iterator[str]:
    rows = (
        (one.id, one.about, _figure(one), f"{one.tolerance_percent} %", one.source)
        for one in EXPERIMENTS
    )
    yield from table(("figure", "what", "published", "tolerance", "source"), rows)


def _known(letters: str) -> Iterator[str]:
    rows = ((row.name, row.what, SEEN[row.name]) for row in TABLE if row.name.startswith(letters))
    yield from table(("number", "what", "from"), rows)


def render(text: str) -> str:
    """Return the text of SOURCES.md with its rendered parts written anew."""
    text = filled_in(text, "calibration", _calibration())
    text = filled_in(text, "hazards", _known("H-"))
    text = filled_in(text, "mutations", _known("M"))
    return filled_in(text, "rules", _known("rule "))
