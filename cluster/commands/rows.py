"""The lines of a table of runs: label and one text for each run, section by section."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from cluster.histogram import Spread
from cluster.summary import Summary

#: label, then one text for each run
Row = tuple[str, list[str]]
#: title (may be empty) and rows
Section = tuple[str, list[Row]]

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"))
_CALL_TITLES = {
    "hole": "MADV_FREE_HOLE",
    "zero": "MADV_FREE_ZERO",
    "advise_free": "MADV_FREE",
    "advise_dontneed": "MADV_DONTNEED",
}


def duration(ns: int) -> str:
    """Write a duration for a reader: three significant digits and a unit."""
    for size, unit in _UNITS:
        if ns >= size:
            value = ns / size
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{ns} ns"


def _spread(spread: Spread | None) -> str:
    if spread is None or not spread.max_ns:
        return "-"  # none, or a free run, which has no simulated time
    return f"{duration(spread.p50_ns)} / {duration(spread.p99_ns)}"


def _each(summaries: Sequence[Summary], text: Callable[[Summary], str]) -> list[str]:
    return [text(one) for one in summaries]


def _counts(
    summaries: Sequence[Summary], counts: Callable[[Summary], Mapping[str, int]]
) -> Iterator[Row]:
    """Give a row for each key that counts something in at least one run."""
    found = [counts(one) for one in summaries]
    keys = dict.fromkeys(key for one in found for key in one)
    for key in keys:
        if any(one.get(key) for one in found):
            yield key.replace("_", " "), [f"{one.get(key, 0):,}" for one in found]


def _run(runs: Sequence[Summary]) -> Section:
    rows: list[Row] = [
        ("verdict", _each(runs, lambda s: s.verdict)),
        ("broken promises", _each(runs, lambda s: str(len(s.violations)))),
    ]
    rows += [
        (f"not promised: {label}", texts)
        for label, texts in _counts(runs, lambda s: s.not_promised)
    ]
    rows += [
        ("ran to its end", _each(runs, lambda s: "yes" if s.complete else "no")),
        (
            "simulated time",
            _each(runs, lambda s: duration(s.simulated_ns) if s.simulated_ns else "-"),
        ),
        ("wall time", _each(runs, lambda s: duration(round(s.wall_s * 1e9)))),
        ("deliveries", _each(runs, lambda s: f"{s.deliveries:,}")),
        ("deliveries/s", _each(runs, lambda s: f"{s.deliveries_per_s:,}")),
        ("touches", _each(runs, lambda s: f"{sum(s.metrics.touches.values()):,}")),
        ("touches/s", _each(runs, lambda s: f"{s.touches_per_s:,}")),
    ]
    return "", rows


def _calls(runs: Sequence[Summary]) -> Section:
    rows: list[Row] = []
    for kind in dict.fromkeys(kind for one in runs for kind in one.metrics.operations):
        spreads = [one.metrics.operations.get(kind) for one in runs]
        title = _CALL_TITLES.get(kind, kind)
        rows.append((title, [f"{s.count:,}" if s else "-" for s in spreads]))
        rows.append((f"{title} p50 / p99", [_spread(s) for s in spreads]))
    rows += [
        (f"failed: {label}", texts) for label, texts in _counts(runs, lambda s: s.metrics.errors)
    ]
    return "system calls", rows


def _faults(runs: Sequence[Summary]) -> Section:
    rows = list(_counts(runs, lambda s: s.metrics.faults))
    rows += [
        (f"SIGSEGV {label}", texts) for label, texts in _counts(runs, lambda s: s.metrics.segv)
    ]
    return "page faults", rows


def _shootdowns(runs: Sequence[Summary]) -> Section:
    metrics = [one.metrics for one in runs]
    return "shootdowns", [
        ("IPIs sent / acked", [f"{m.ipis['sent']:,} / {m.ipis['acked']:,}" for m in metrics]),
        ("with targets", [f"{m.shootdown_wait.count:,}" for m in metrics]),
        ("wait p50 / p99", [_spread(m.shootdown_wait) for m in metrics]),
    ]


def _memory(runs: Sequence[Summary]) -> Section:
    metrics = [one.metrics for one in runs]
    return "memory, in pages", [
        ("zeroed in background", [f"{m.pages_zeroed['background']:,}" for m in metrics]),
        ("zeroed after a steal", [f"{m.pages_zeroed['stolen']:,}" for m in metrics]),
        ("zeroed inline by ZERO", [f"{m.pages_zeroed['inline']:,}" for m in metrics]),
        ("found zero by ZERO", [f"{m.pages_zeroed['skipped']:,}" for m in metrics]),
        (
            "reclaimed (out of holes)",
            [f"{m.reclaimed['pages']:,} ({m.reclaimed['holes']:,})" for m in metrics],
        ),
        ("resident, peak", [f"{m.resident.peak_pages:,}" for m in metrics]),
        (
            "resident, mean",
            [
                f"{one.metrics.resident.mean_pages:,.0f}" if one.simulated_ns else "-"
                for one in runs
            ],
        ),
    ]


def _transport(runs: Sequence[Summary]) -> Section:
    """Give what Ray did; inline runs have no transport."""
    if not any(one.host for one in runs):
        return "", []
    hosts = [one.host for one in runs]
    return "Ray", [
        ("start-up", [f"{host['startup_s']:.1f} s" for host in hosts]),
        ("calls", [f"{host['calls']:,}" for host in hosts]),
        ("messages a call", [f"{host['messages_per_call']:.1f}" for host in hosts]),
    ]


def _sometimes(runs: Sequence[Summary]) -> Section:
    keys = [key for one in runs[:1] for key in one.metrics.sometimes]
    rows = [
        (
            key.removeprefix("sometimes_").replace("_", " "),
            [f"{one.metrics.sometimes[key]:,}" for one in runs],
        )
        for key in keys
    ]
    return "sometimes (how often the run showed it)", rows


def _left_out(runs: Sequence[Summary]) -> Section:
    return "recorded events that are in no figure", list(_counts(runs, lambda s: s.left_out))


def sections(runs: Sequence[Summary]) -> list[Section]:
    """Give all sections that have rows, for one run or for several side by side."""
    makers = (_run, _transport, _calls, _faults, _shootdowns, _memory, _sometimes, _left_out)
    return [section for section in (make(runs) for make in makers) if section[1]]
