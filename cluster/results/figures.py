"""The figures of a run as a tree, as `metrics` of summary.json has them, written and read by path.

A figure is a number, null, or a list of records; numbers of 0 are there, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.results.measure import at_value, label_of

#: keys are those of the paths of measures
Metrics = dict[str, Any]


def put(metrics: Metrics, path: str, figure: object) -> None:
    """Put a figure in its place."""
    *groups, key = path.split(".")
    for group in groups:
        metrics = metrics.setdefault(group, {})
    metrics[key] = figure


def put_labelled(metrics: Metrics, path: str, figures: Mapping[str, object]) -> None:
    """Put figures in their places, by the value of the path's label; their group in any case."""
    for group in path.split(".")[:-1]:
        metrics = metrics.setdefault(group, {})
    key = path.rsplit(".", maxsplit=1)[-1]
    for value, figure in figures.items():
        metrics[at_value(key, value)] = figure


def read(metrics: Metrics, path: str, values: Sequence[str] = ()) -> dict[str, Any]:
    """Return what is at a path, by the value of its label; by "" if it has none.

    values: of the label; if there are none, those that occur. What is not there is left out.
    """
    label = label_of(path)
    if not label:
        found = _walk(metrics, path.split("."))
        return {} if found is None else {"": found[0]}
    parts = path.split(".")
    place = next(i for i, part in enumerate(parts) if label_of(part))
    group = _walk(metrics, parts[:place])
    if group is None:
        return {}
    before, after = parts[place].split(f"{{{label}}}")
    figures: dict[str, Any] = {}
    for value in values or _values(group[0], before, after):
        found = _walk(group[0], [at_value(parts[place], value), *parts[place + 1 :]])
        if found is not None:
            figures[value] = found[0]
    return figures


def _values(group: dict[str, Any], before: str, after: str) -> list[str]:
    return [
        key.removeprefix(before).removesuffix(after)
        for key in group
        if key.startswith(before) and key.endswith(after)
    ]


def _walk(metrics: Any, keys: Sequence[str]) -> tuple[Any] | None:  # noqa: ANN401 - a tree
    """Return what is there, None included, in a tuple; None if nothing is."""
    for key in keys:
        if key not in metrics:
            return None
        metrics = metrics[key]
    return (metrics,)
