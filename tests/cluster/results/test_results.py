"""What is reported about a run, from hand-made facts."""

import random
from collections.abc import Sequence

from actors.facts import (
    BackgroundZeroed,
    CallEnded,
    CallStarted,
    Fact,
    Faulted,
    FaultStarted,
    FramesInUse,
    PagePinned,
    PinMet,
    Reclaimed,
    Resident,
    Segv,
    Shooting,
    Shot,
    TransferEnded,
    ZeroCase,
)
from actors.operation import OpKind
from cluster.results.figures import Metrics
from cluster.results.histogram import Histogram, Spread
from cluster.results.meter import Results
from cluster.results.page_meter import PageMeter
from cluster.results.sometimes import SOMETIMES_KEYS
from kernel.errors import Errno, FaultCause, SegvCode


def metrics_of(*facts: tuple[int, Fact], end: int = 0) -> Metrics:
    results = Results()
    for when, fact in facts:
        results.noted(when, 0, fact)
    results.finish(end)
    return results.metrics()


def exact(values: Sequence[int], percent: int) -> int:
    return sorted(values)[max(1, -(-len(values) * percent // 100)) - 1]


def test_percentiles_keep_three_digits() -> None:
    rng = random.Random(1)
    for top in (10, 3_000, 10**6, 10**12, 2**63):
        values = [rng.randrange(top) for _ in range(2_000)]
        histogram = Histogram()
        for value in values:
            histogram.add(value)
        for percent in (1, 50, 90, 99, 100):
            true = exact(values, percent)
            assert abs(histogram.percentile(percent) - true) * 2048 <= true
        assert histogram.spread().mean_ns == round(sum(values) / len(values))
        assert histogram.spread().max_ns == max(values)


def test_small_values_are_exact() -> None:
    histogram = Histogram()
    for value in range(2048):
        histogram.add(value)
    assert [histogram.percentile(p) for p in (50, 99, 100)] == [1023, 2027, 2047]


def test_memory_of_a_histogram_is_bounded() -> None:
    histogram = Histogram()
    rng = random.Random(2)
    for _ in range(50_000):
        histogram.add(rng.randrange(1 << 20, 1 << 21))
    assert len(histogram._buckets) <= 1024


def test_nothing_counted_gives_a_count_of_0_and_no_times() -> None:
    assert Histogram().spread() == Spread(count=0)
    histogram = Histogram()
    histogram.add(0)
    assert histogram.spread(timed=False) == Spread(count=1)


def test_resident_mean_is_weighted_by_time() -> None:
    meter = PageMeter()
    meter.change(0, 0, 10)
    meter.change(100, 0, 30)
    meter.change(100, 1, 5)
    meter.change(150, 0, 0)
    meter.advance(200)
    total = meter.total()
    # 100 ns of 10 pages, 50 ns of 35, 50 ns of 5
    assert (total.mean_pages, total.peak_pages, total.pages) == (15.0, 35, 5)
    first, second = meter.by_part()["0"], meter.by_part()["1"]
    assert (first.mean_pages, first.peak_pages, first.pages) == (12.5, 30, 0)
    assert (second.mean_pages, second.peak_pages, second.pages) == (2.5, 5, 5)


def test_time_out_of_order_does_not_go_back() -> None:
    meter = PageMeter()
    meter.change(100, 0, 10)
    meter.change(90, 1, 10)
    meter.advance(200)
    assert meter.total().mean_pages == 10.0


def test_latencies_are_from_entry_to_return_by_kind_and_lane() -> None:
    metrics = metrics_of(
        (100, CallStarted(1, OpKind.HOLE, 4)),
        (150, CallStarted(2, OpKind.HOLE, 8)),
        (300, CallEnded(1, OpKind.HOLE, Errno.OK)),
        (1150, CallEnded(2, OpKind.HOLE, Errno.OK)),
        (2000, CallStarted(1, OpKind.ZERO, 3)),
        (2040, CallEnded(1, OpKind.ZERO, Errno.EINVAL)),
    )
    hole, zero = metrics["operations"]["hole"], metrics["operations"]["zero"]
    assert tuple(hole[key] for key in ("count", "mean_ns", "p50_ns", "p99_ns")) == (
        2,
        600,
        200,
        1000,
    )
    assert (zero["count"], zero["max_ns"]) == (1, 40)
    assert set(metrics["operations"]) == {"hole", "zero"}
    assert metrics["operation_pages"] == {"hole": 12, "zero": 3}
    assert metrics["errors"] == {"EINVAL": 1}
    assert metrics["sometimes"]["sometimes_call_fails"] == 1


def test_shootdowns_are_told_apart_by_lane() -> None:
    metrics = metrics_of(
        (0, Shooting(1, 3)),
        (10, Shooting(2, 1)),
        (50, Shot(2, 1)),
        (90, Shot(1, 3)),
        (95, Shooting(1, 2)),
    )
    assert metrics["ipis"] == {"sent": 6, "acked": 4}
    wait = metrics["shootdown_wait"]
    assert (wait["count"], wait["p50_ns"], wait["max_ns"]) == (2, 40, 90)


def test_transfers_are_summed_up() -> None:
    metrics = metrics_of(
        (1, PagePinned(1, 0, 7, 3)),
        (2, PagePinned(1, 0, 8, 4)),
        (3, PinMet(2, "hole")),
        (4, TransferEnded(9, 5, 256, store=True)),
        (5, TransferEnded(9, 6, 1, store=False)),
    )
    assert metrics["transfers"] == {"pages_pinned": 2, "bytes_stored": 4096, "bytes_loaded": 16}
    assert metrics["sometimes"]["sometimes_pin_stops_hole"] == 1
    assert metrics["sometimes"]["sometimes_fork_copies_pinned"] == 0


def test_pages_zeroed_and_sometimes() -> None:
    metrics = metrics_of(
        (1, BackgroundZeroed(9, 16)),
        (2, ZeroCase(1, "zeroed", 1)),
        (3, ZeroCase(1, "zeroed", 1)),
        (4, ZeroCase(1, "stolen", 4)),
        (5, ZeroCase(1, "inline", 0)),
        (6, Reclaimed(9, 5, 3, 1)),
        (7, Segv(1, 0, 7, SegvCode.HOLE)),
        (8, FaultStarted(1)),
        (9, Faulted(1, 0, 7, FaultCause.ZERO_FILL, 30)),
        (9, FramesInUse(1, 6)),
        (9, Resident(1, 0, 4)),
        end=10,
    )
    zeroed = {"inline": 0, "background": 16, "stolen": 4, "skipped": 2, "clean": 0}
    assert metrics["pages_zeroed"] == zeroed
    assert metrics["reclaimed"] == {"pages": 5, "holes": 3, "free": 1, "clean": 1}
    assert metrics["segv"]["hole"] == 1
    assert metrics["faults"]["zero_fill"] == 1
    assert metrics["fault_latency"]["total_ns"] == 31
    assert metrics["frames_in_use"]["peak_pages"] == 6
    seen = {name for name, count in metrics["sometimes"].items() if count}
    assert seen == {
        "sometimes_zeroed_in_background",
        "sometimes_zero_skips",
        "sometimes_zero_steals",
        "sometimes_reclaim_hits_a_hole",
        "sometimes_reclaim_takes_a_free_page",
        "sometimes_reclaim_takes_a_clean_page",
        "sometimes_segv_in_hole",
    }
    assert tuple(metrics["sometimes"]) == SOMETIMES_KEYS
