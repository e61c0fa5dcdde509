"""Prometheus metrics: served during a run, and at its end equal to the summary."""

import re
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cluster.__main__ import main
from cluster.runs.inline_run import run_inline
from cluster.runs.judged_run import Options, Request, judge
from cluster.scenario.scenario import load, override
from cluster.scenario.setup import prepare
from cluster.scenario.shipped import shipped
from dashboards.metrics import RunMetrics
from dashboards.metrics_server import MetricsServer


def samples(exposition: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def exposition(metrics: RunMetrics) -> str:
    text: str = generate_latest(metrics.registry).decode()
    return text


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - it is our own
        text: str = answer.read().decode()
    return text


def request(tmp_path: Path) -> Request:
    scenario = load(shipped("workloads", ".hzw")["sqlite-snmalloc"])
    setup = prepare(override(scenario, [], "fatal-hole"))
    return Request(
        name="sqlite",
        setup=setup,
        options=Options(out=tmp_path / "run", check=False, limit_ops=30_000),
    )


def test_counters_equal_the_summary_at_the_end(tmp_path: Path) -> None:
    shown = RunMetrics()
    one = request(tmp_path)
    watched = Request(
        name=one.name, setup=one.setup, options=one.options, watches=(shown.watch(one),)
    )
    summary = judge(watched, run_inline, ()).summary
    found = samples(exposition(shown))
    metrics = summary.metrics
    assert found["holezero_deliveries_total",] == summary.deliveries == 30_000
    assert found["holezero_simulated_seconds",] == pytest.approx(summary.simulated_ns / 1e9)
    assert found["holezero_resident_pages",] == metrics["resident"]["pages"]
    assert found["holezero_run_info", "inline", "fatal-hole", "sqlite"] == 1
    assert found["holezero_ipis_sent_total",] == metrics["ipis"]["sent"]
    for cause, count in metrics["faults"].items():
        assert found["holezero_page_faults_total", cause] == count
    for how, count in metrics["pages_zeroed"].items():
        assert found["holezero_zeroed_pages_total", how] == count
    for kind, spread in metrics["operations"].items():
        assert found["holezero_system_calls_total", kind] == spread["count"]
    assert sum(metrics["faults"].values()) > 1_000


def test_names_follow_the_conventions() -> None:
    metrics = RunMetrics()
    metrics.begin({"preset": "x"})
    for family in text_string_to_metric_families(exposition(metrics)):
        assert re.fullmatch(r"holezero(_[a-z]+)+", family.name)
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_total", "_created"))


def test_the_next_run_starts_from_zero() -> None:
    metrics = RunMetrics()
    figures = {"faults": {"soft": 2}}
    for preset in ("a", "b"):
        metrics.begin({"preset": preset})
        metrics.update(5, 10, figures)
        metrics.update(7, 20, figures)
        found = samples(exposition(metrics))
        assert found["holezero_deliveries_total",] == 7
        assert found["holezero_page_faults_total", "soft"] == 2
        assert found["holezero_run_info", preset] == 1
        assert sum(name[0] == "holezero_run_info" for name in found) == 1


def test_it_is_served_on_loopback_while_a_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code: list[int] = []
    arguments = ["run", "sqlite-snmalloc", "--check", "off", "--out", str(tmp_path / "run")]
    runner = threading.Thread(
        target=lambda: code.append(main([*arguments, "--quiet", "--metrics-port", "0"]))
    )
    runner.start()
    seen: list[float] = []
    url = ""
    while runner.is_alive():
        url = url or next(iter(re.findall(r"http://127\.0\.0\.1:\d+/\w+", _err(capsys))), "")
        if url:
            try:
                found = samples(scrape(url))
            except OSError:
                break  # the run has just ended, and its server with it
            seen.append(found.get(("holezero_deliveries_total",), 0))
        time.sleep(0.02)
    runner.join()
    assert code == [0]
    assert seen == sorted(seen)
    assert len({value for value in seen if value}) > 2


def _err(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_port_that_is_taken_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = MetricsServer(0)
    port = server.url.split(":")[2].partition("/")[0]
    arguments = ["run", "sqlite-snmalloc", "--limit-ops", "5", "--out", str(tmp_path / "run")]
    assert main([*arguments, "--metrics-port", port]) == 2
    assert f"--metrics-port {port}: Address already in use" in capsys.readouterr().err
    server.close()
