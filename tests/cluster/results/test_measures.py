"""Measures are declared once: the summary, the tables and the Prometheus metrics follow."""

import json
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from actors.facts import EntriesGone, Fact
from cluster.__main__ import main
from cluster.commands.output.runs.measured import measured
from cluster.results import measures
from cluster.results.figures import read
from cluster.results.measure import (
    Counted,
    Distribution,
    Lasted,
    Level,
    Measure,
    Records,
    Row,
    Section,
    Stood,
    Sum,
    Told,
    Unit,
    label_of,
)
from cluster.results.meter import Results
from cluster.runs.inline_run import run_inline
from cluster.runs.judged_run import Options, Request, judge
from cluster.scenario.scenario import load
from cluster.scenario.setup import prepare
from cluster.scenario.shipped import shipped
from dashboards.metrics import RunMetrics


class Yawned(Fact, frozen=True):
    """A fact that no machine states."""

    who: int
    times: int


YAWNS = Sum(
    name="yawns.{who}",
    unit=Unit.EVENTS,
    help="Yawns heard.",
    fed=(Counted(fact=Yawned, add="times", by="who", names={1: "one", 2: "two"}),),
    values=("one", "two"),
    rows=(Row(Section.MEMORY, "yawns of {who}"),),
    exposed="yawns",
)


def heard(*facts: Fact) -> Results:
    results = Results()
    for fact in facts:
        results.noted(0, 0, fact)
    return results


def exposed(results: Results) -> str:
    metrics = RunMetrics()
    metrics.begin({"preset": "x"})
    metrics.update(1, 0, results.metrics())
    text: str = generate_latest(metrics.registry).decode()
    return text


def test_a_measure_and_its_fact_are_all_that_a_new_one_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measures, "ALL", (*measures.ALL, YAWNS))
    results = heard(Yawned(7, 2, 3), Yawned(7, 2, 2))
    assert results.metrics()["yawns"] == {"one": 0, "two": 5}
    assert ("yawns of two", ["5"]) in measured(Section.MEMORY, [results.metrics()])
    lines = exposed(results).splitlines()
    assert "# HELP holezero_yawns_total Yawns heard." in lines
    assert 'holezero_yawns_total{who="two"} 5.0' in lines
    assert 'holezero_yawns_total{who="one"} 0.0' in lines


def test_it_is_in_what_a_run_prints_and_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    entries = Sum(
        name="entries_gone",
        unit=Unit.EVENTS,
        help="Removals of entries.",
        fed=(Counted(fact=EntriesGone),),
        rows=(Row(Section.SHOOTDOWNS, "removals of entries"),),
    )
    monkeypatch.setattr(measures, "ALL", (*measures.ALL, entries))
    assert main(["run", "one-page", "--out", "a"]) == 0
    count = json.loads(Path("a/summary.json").read_text())["metrics"]["entries_gone"]
    assert count > 0
    found = [line for line in capsys.readouterr().out.splitlines() if "removals" in line]
    assert [line.split() for line in found] == [["removals", "of", "entries", str(count)]]


def test_the_keys_of_the_summary_are_those_that_consumers_know() -> None:
    known = (
        "operations",
        "operation_pages",
        "touches",
        "faults",
        "fault_latency",
        "segv",
        "ipis",
        "shootdown_wait",
        "pages_zeroed",
        "reclaimed",
        "swap",
        "low_memory",
        "killed",
        "transfers",
        "resident",
        "resident_by_process",
        "frames_in_use",
        "errors",
        "sometimes",
    )
    assert tuple(Results().metrics()) == known, "a key may be added here, none renamed or dropped"


# Declarations are held against what they name.


def fields_of(fed: object) -> list[tuple[type[Fact], str]]:
    if isinstance(fed, Counted):
        return [(fed.fact, name) for name in (fed.add, fed.by, fed.if_any) if name]
    if isinstance(fed, Lasted):
        return [(fed.end, name) for name in (fed.more, fed.by) if name]
    if isinstance(fed, Stood):
        return [(fed.fact, name) for name in (fed.at, fed.part) if name]
    assert isinstance(fed, Told)
    return [(fed.fact, name) for name in fed.fields.values()]


@pytest.mark.parametrize("measure", measures.ALL, ids=lambda one: one.name)
def test_a_measure_names_what_there_is(measure: Measure) -> None:
    assert isinstance(measure, Sum | Distribution | Level | Records)
    fed = measure.fed if isinstance(measure, Sum) else (measure.fed,)
    for fact, field in (one for feed in fed for one in fields_of(feed)):
        assert hasattr(fact, field), (fact, field)
    if measure.values:
        assert measure.label
        told = {name for one in fed if isinstance(one, Counted) for name in one.names.values()}
        told |= {one.value for one in fed if isinstance(one, Counted) and one.value}
        assert told == set(measure.values)
    metrics = Results().metrics()
    for row in measure.rows:
        assert label_of(row.text) in ("", measure.label)
        for path in row.shows or (measure.name,):
            assert read(metrics, path, measure.values) or label_of(path), path


def test_names_are_there_once() -> None:
    for names in (
        [one.name for one in measures.ALL],
        [one.exposed for one in measures.ALL if one.exposed],
    ):
        assert sorted(set(names)) == sorted(names)
    assert all(one.help.endswith(".") for one in measures.ALL)


def test_a_value_that_no_measure_declares_is_an_error() -> None:
    results = heard(Yawned(7, 2, 3))
    assert "yawns" not in results.metrics()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "ALL", (YAWNS,))
        with pytest.raises(AssertionError, match="yawns"):
            heard(Yawned(7, 3, 1)).metrics()


def test_figures_of_a_label_are_read_by_their_values() -> None:
    metrics = {"a": {"x_b": {"n": 1}, "x_c": {"n": None}, "d": 4}}
    assert read(metrics, "a.x_{k}.n") == {"b": 1, "c": None}
    assert read(metrics, "a.x_{k}.n", ("c", "e")) == {"c": None}
    assert read(metrics, "a.d") == {"": 4}
    assert read(metrics, "b.{k}") == read(metrics, "a.e") == {}


def test_the_exposition_of_a_run_is_its_summary(tmp_path: Path) -> None:
    setup = prepare(load(shipped("scenarios", ".toml")["fork-under-pressure"]))
    shown = RunMetrics()
    options = Options(out=tmp_path / "run")
    one = Request(name="fork", setup=setup, options=options)
    one = Request(name="fork", setup=setup, options=options, watches=(shown.watch(one),))
    summary = judge(one, run_inline, ()).summary
    lines = generate_latest(shown.registry).decode().splitlines()
    for value, count in summary.metrics["swap"].items():
        assert f'holezero_swapped_pages_total{{way="{value}"}} {count:.1f}' in lines
    for value in ("holes", "free", "clean"):
        count = summary.metrics["reclaimed"][value]
        assert f'holezero_reclaimed_pages_total{{from="{value}"}} {count:.1f}' in lines
    assert not any('from="pages"' in line for line in lines)
    assert f"holezero_resident_pages {summary.metrics['resident']['pages']:.1f}" in lines
