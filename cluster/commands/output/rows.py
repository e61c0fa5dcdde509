"""The lines of a table of runs: label and one text for each run, section by section."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cluster.results.histogram import Spread
from cluster.results.page_meter import PagesHeld
from cluster.results.run_metrics import Metrics
from cluster.results.summary import Summary

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
    if spread is None or spread.p50_ns is None or spread.p99_ns is None:
        return "-"  # none, or a free run, which has no simulated time
    return f"{duration(spread.p50_ns)} / {duration(spread.p99_ns)}"


def _in_all(spreads: Iterable[Spread]) -> str:
    """Give the time of all of them together."""
    totals = [spread.total_ns for spread in spreads if spread.total_ns is not None]
    return duration(sum(totals)) if totals else "-"


def _pages(held: PagesHeld) -> str:
    mean = "-" if held.mean_pages is None else f"{held.mean_pages:,.{int(held.mean_pages < 10)}f}"
    return f"{held.peak_pages:,} / {mean}"


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


def _if_any(label: str, counts: Sequence[int]) -> Iterator[Row]:
    """Give a row, unless it is all 0."""
    if any(counts):
        yield label, [f"{count:,}" for count in counts]


def _end(one: Summary) -> str:
    if one.interrupted:
        return "interrupted"
    return "yes" if one.complete else "no"


def _run(runs: Sequence[Summary]) -> Section:
    rows: list[Row] = []
    if any(one.policy_changes for one in runs):
        changes = [[f"{k}={v}" for k, v in one.policy_changes.items()] for one in runs]
        for i in range(max(map(len, changes))):
            label = "" if i else "policy changed"
            rows.append((label, [c[i] if i < len(c) else "" for c in changes]))
    rows += [
        ("verdict", _each(runs, lambda s: s.verdict)),
        ("broken promises", _each(runs, lambda s: str(len(s.violations)))),
    ]
    rows += [
        (f"not promised: {label}", texts)
        for label, texts in _counts(runs, lambda s: s.not_promised)
    ]
    rows += [
        ("ran to its end", _each(runs, _end)),
        (
            "simulated time",
            _each(runs, lambda s: "-" if s.simulated_ns is None else duration(s.simulated_ns)),
        ),
        ("touches", _each(runs, lambda s: f"{sum(s.metrics.touches.values()):,}")),
    ]
    return "", rows


def _calls(runs: Sequence[Summary]) -> Section:
    rows: list[Row] = []
    for kind in dict.fromkeys(kind for one in runs for kind in one.metrics.operations):
        spreads = [one.metrics.operations.get(kind) for one in runs]
        pages = [one.metrics.operation_pages.get(kind, 0) for one in runs]
        title = _CALL_TITLES.get(kind, kind)
        counts = [
            _calls_of(s, n if kind in _CALL_TITLES else 0)
            for s, n in zip(spreads, pages, strict=True)
        ]
        rows.append((title, counts))
        rows.append((f"{title} p50 / p99", [_spread(s) for s in spreads]))
    rows += [
        (f"failed: {label}", texts) for label, texts in _counts(runs, lambda s: s.metrics.errors)
    ]
    rows.append(("time in them", [_in_all(s.metrics.operations.values()) for s in runs]))
    return "system calls", rows


def _calls_of(spread: Spread | None, pages: int) -> str:
    if spread is None:
        return "-"
    return f"{spread.count:,} x {pages / spread.count:,.0f} pages" if pages else f"{spread.count:,}"


def _faults(runs: Sequence[Summary]) -> Section:
    rows = list(_counts(runs, lambda s: s.metrics.faults))
    rows += [
        (f"SIGSEGV {label}", texts) for label, texts in _counts(runs, lambda s: s.metrics.segv)
    ]
    rows.append(("p50 / p99", [_spread(s.metrics.fault_latency) for s in runs]))
    rows.append(("time in them", [_in_all([s.metrics.fault_latency]) for s in runs]))
    return "page faults", rows


def _shootdowns(runs: Sequence[Summary]) -> Section:
    metrics = [one.metrics for one in runs]
    return "TLB shootdowns", [
        ("of other cores", [f"{m.shootdown_wait.count:,}" for m in metrics]),
        ("IPIs sent / acked", [f"{m.ipis['sent']:,} / {m.ipis['acked']:,}" for m in metrics]),
        ("wait p50 / p99", [_spread(m.shootdown_wait) for m in metrics]),
    ]


def _memory(runs: Sequence[Summary]) -> Section:
    metrics = [one.metrics for one in runs]
    return "memory, in pages", [
        ("zeroed in background", [f"{m.pages_zeroed['background']:,}" for m in metrics]),
        ("zeroed after a steal", [f"{m.pages_zeroed['stolen']:,}" for m in metrics]),
        ("zeroed inline by ZERO", [f"{m.pages_zeroed['inline']:,}" for m in metrics]),
        ("found zero by ZERO", [f"{m.pages_zeroed['skipped']:,}" for m in metrics]),
        *_if_any("known zero at HOLE", [m.pages_zeroed.get("clean", 0) for m in metrics]),
        (
            "reclaimed (out of holes)",
            [f"{m.reclaimed['pages']:,} ({m.reclaimed['holes']:,})" for m in metrics],
        ),
        *_pressure(metrics),
        *_if_any("pinned for devices", [m.transfers["pages_pinned"] for m in metrics]),
        *_if_any("KiB stored by devices", [m.transfers["bytes_stored"] >> 10 for m in metrics]),
        *_if_any("KiB loaded by devices", [m.transfers["bytes_loaded"] >> 10 for m in metrics]),
        ("resident set, peak / mean", [_pages(m.resident) for m in metrics]),
        ("frames in use, peak / mean", [_pages(m.frames_in_use) for m in metrics]),
    ]


def _pressure(metrics: Sequence[Metrics]) -> Iterator[Row]:
    """Give the rows that only runs have in which memory was short."""
    if any(m.swap["written"] or m.swap["read"] for m in metrics):
        yield (
            "written to swap / read",
            [f"{m.swap['written']:,} / {m.swap['read']:,}" for m in metrics],
        )
    if any(m.low_memory for m in metrics):
        yield "allocations that slept", [f"{m.low_memory:,}" for m in metrics]


def _simulator(runs: Sequence[Summary]) -> Section:
    """Give what the simulation itself took; none of it is a result."""
    return "the simulator", [
        ("deliveries", _each(runs, lambda s: f"{s.deliveries:,}")),
        ("wall time", _each(runs, lambda s: duration(round(s.wall_s * 1e9)))),
        ("deliveries/s", _each(runs, lambda s: f"{s.deliveries_per_s:,}")),
        ("touches/s", _each(runs, lambda s: f"{s.touches_per_s:,}")),
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
    return "sometimes (events in which it showed)", rows


def _left_out(runs: Sequence[Summary]) -> Section:
    return "recorded events that are in no figure", list(_counts(runs, lambda s: s.left_out))


def _approximated(runs: Sequence[Summary]) -> Section:
    rows = list(_counts(runs, lambda s: s.approximated))
    return "recorded events that became something not quite the same", rows


def sections(runs: Sequence[Summary]) -> list[Section]:
    """Give all sections that have rows, for one run or for several side by side."""
    makers = (
        _run,
        _calls,
        _faults,
        _shootdowns,
        _memory,
        _simulator,
        _transport,
        _sometimes,
        _left_out,
        _approximated,
    )
    return [section for section in (make(runs) for make in makers) if section[1]]
