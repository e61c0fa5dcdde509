"""Measure exploring: every strategy on three scenarios, and two-phase commit.

    PYTHONPATH=. .venv/bin/python tests/bench/explore.py [SECONDS]

SECONDS (default 5) for each strategy and scenario; one process. If `minicheck` (PyPI) is installed
where this runs, it searches the same states of two-phase commit in the same run.
"""

import resource
import sys
import time
from collections.abc import Callable

from click import echo

from cluster.explore.choices import Chosen, Strategy
from cluster.explore.search import explore
from cluster.explore.strategies.dpor import Reduction
from cluster.explore.strategies.stateful import search
from cluster.hosts.garbage import collect_seldom
from cluster.scenario.scenario import load, override
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from tests.models.two_phase_commit import two_phase_commit

SCENARIOS = {
    "one-page, flag-only, fine": ("one-page", "flag-only", "fine", "[]"),
    "one-page, fatal-hole, fused": ("one-page", "fatal-hole", "fused", "[]"),
    "lost-ack without the hazard, fine": ("hazard-lost-ack", None, "fine", "[]"),
}
CHOSEN = {
    "bfs": Chosen(strategy=Strategy.BFS),
    "dfs": Chosen(strategy=Strategy.DFS),
    "dpor, optimal": Chosen(strategy=Strategy.DPOR),
    "dpor, source": Chosen(strategy=Strategy.DPOR, reduction=Reduction.SOURCE),
    "no reduction": Chosen(strategy=Strategy.DPOR, reduction=Reduction.NONE),
    "random": Chosen(strategy=Strategy.RANDOM),
    "pct": Chosen(strategy=Strategy.PCT),
    "delay": Chosen(strategy=Strategy.DELAY),
}


def setup_of(name: str, preset: str | None, grain: str, hazards: str) -> Setup:
    settings = [f"machine.grain={grain}", f"run.hazards={hazards}"]
    return prepare(override(load(shipped("scenarios", ".toml")[name]), settings, preset), name)


def strategies(seconds: float) -> None:
    for title, scenario in SCENARIOS.items():
        setup = setup_of(*scenario)
        echo(f"== {title}")
        for name, chosen in CHOSEN.items():
            started = time.perf_counter()
            found = explore(setup, chosen, within(started, seconds))
            took = time.perf_counter() - started
            count = found.states or found.orders
            what = chosen.strategy.counts
            share = f"{found.done:.2g} of the tree" if 0 < found.done < 1 else ""
            echo(
                f"{name:14} {count:>9,} {what} {'complete' if found.complete else share or '-':20} "
                f"{count / took:>9,.0f} {what}/s {found.deliveries / took:>9,.0f} deliveries/s"
            )


def within(started: float, seconds: float) -> Callable[[object], bool]:
    return lambda _: time.perf_counter() - started < seconds


def rivals(managers: int) -> None:
    """Search two-phase commit, here and by minicheck, by the same functions of its states."""
    start = two_phase_commit(managers)
    started = time.perf_counter()
    states = search(start).states
    own = states / (time.perf_counter() - started)
    echo(f"== two-phase commit, {managers} managers: {states:,} states, {own:,.0f}/s")
    try:
        from minicheck import Protocol, check_safety
    except ImportError:
        echo("minicheck is not installed")
        return
    model = Protocol(
        name="2pc",
        candidate=False,
        fields=("managers", "decision", "symmetric"),
        initial=tuple(start),
        transitions=lambda s: [
            (str(step), tuple(type(start)(*s).deliver(step))) for step in type(start)(*s).enabled()
        ],
        invariants={"all or none": lambda d: not type(start)(**d).broken()},
    )
    started = time.perf_counter()
    found = check_safety(model, max_states=10 * states)
    seen = found["reachable_states"]
    its = seen / (time.perf_counter() - started)
    echo(f"minicheck: {seen:,} states, {its:,.0f}/s: {own / its:.2f} times as many here")


if __name__ == "__main__":
    collect_seldom()  # as the command does
    strategies(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
    rivals(6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    echo(f"peak memory {peak:,.0f} MiB")
