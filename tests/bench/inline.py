"""Deliveries a second of the inline host, as ratios within one run: machines differ, and are noisy.

    .venv/bin/python tests/bench/inline.py [WORKLOAD]

Each configuration runs three times, in turn, so that all meet the same noise; the best time of each
is compared with the first. Also: microseconds a handler takes, bytes a delivery takes in a full
trace, where the time goes, and the time of a delivery on machines of 4, 64 and 256 cores, with the
recorded guest (most cores idle) and with a thread of one process on every core.
"""

import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.results.meter import Results
from cluster.scenario.scenario import MachineTable, Scenario, ThreadTable, load, override
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from cluster.trace.format import header_of
from cluster.trace.writer import TraceWriter

_ROUNDS = 3


def timed(setup: Setup, *, kind: str, check: bool, folder: Path) -> tuple[float, int, int]:
    """Run once; gives seconds, deliveries and bytes of the trace."""
    machines = build(setup.wiring, setup.settings, setup.guest)
    path = folder / f"{kind}-{check}.trace"
    path.unlink(missing_ok=True)
    with TraceWriter(path, header_of(setup, engine="inline", kind=kind)) as trace:
        host = InlineHost(
            setup.wiring,
            machines,
            setup.latency(),
            observers=(Checker(setup),) if check else (),
            listeners=(Results(),),
            record=trace.record if kind == "full" else None,
        )
        host.start()
        began = time.perf_counter()
        while not trace.run(host, 4096):
            pass
        seconds = time.perf_counter() - began
    return seconds, host.deliveries, path.stat().st_size


def touches_of(setup: Setup) -> int:
    """Count the guest's accesses."""
    results = Results()
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency(), listeners=(results,))
    host.start()
    host.run()
    return sum(results.touches)


def handlers_alone(setup: Setup) -> float:
    """Seconds spent in handlers alone: the run's own messages, given again to fresh machines."""
    heard: list[tuple[int, int, object]] = []

    class Tape:
        def started(self, *_args):  # noqa: ANN002, ANN202
            pass

        def delivered(self, _when, dst, src, _seq, message, _effects):  # noqa: ANN001, ANN202
            heard.append((dst, src, message))

        def noted(self, *_args):  # noqa: ANN002, ANN202
            pass

    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(Tape(),))
    host.start()
    host.run()
    fresh = build(setup.wiring, setup.settings, setup.guest)
    for machine in fresh:
        machine.start()
    began = time.perf_counter()
    for dst, src, message in heard:
        fresh[dst].on(src, message)
    return (time.perf_counter() - began) / len(heard)


def every_core_busy(cores: int) -> Setup:
    """Make threads of one process, one a core, whose releases interrupt all the others."""
    rounds = max(1, 64 // cores)
    threads = [
        ThreadTable(
            name=f"t{i}",
            core=i,
            run=[
                f"map {16 * i} 8",
                *[f"store {16 * i} 8", f"hole {16 * i} 8", f"zero {16 * i} 8"] * rounds,
            ],
        )
        for i in range(cores)
    ]
    return prepare(Scenario(machine=MachineTable(cores=cores), thread=threads))


def profile(setup: Setup, rows: int = 12) -> None:
    """Print the functions that take most time by themselves; profiling slows calls down."""
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency(), listeners=(Results(),))
    host.start()
    profiler = cProfile.Profile()
    profiler.runcall(host.run)
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    whole = sum(own for _, _, own, _, _ in stats.values())
    print("self time of functions, profiled:")
    for (file, _, function), (_, calls, own, _, _) in sorted(
        stats.items(), key=lambda item: -item[1][2]
    )[:rows]:
        where = f"{Path(file).parent.name}/{Path(file).name}" if "/" in file else "built in"
        print(f"  {own / whole:6.1%} {calls:9,} calls  {where}: {function}")


def main(name: str) -> None:
    """Print the table."""
    path = shipped("workloads", ".hzw").get(name, Path(name))
    scenario: Scenario = load(path)
    setup = prepare(scenario)
    ways = [("order", False), ("full", False), ("order", True), ("full", True)]
    best: dict[tuple[str, bool], tuple[float, int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(_ROUNDS):
            for kind, check in ways:
                run = timed(setup, kind=kind, check=check, folder=Path(folder))
                best[kind, check] = min(best.get((kind, check), run), run)
        base = best["order", False][0]
        touches = touches_of(setup)
        for (kind, check), (seconds, deliveries, size) in best.items():
            checks = "on" if check else "off"
            print(
                f"trace {kind:5} checks {checks:3}: {deliveries / seconds:9,.0f} deliveries/s, "
                f"{touches / seconds:7,.0f} touches/s, {seconds / base:5.2f} x, "
                f"{size / deliveries:6.2f} bytes/delivery"
            )
        print(f"handlers alone: {handlers_alone(setup) * 1e6:.2f} us mean")
        for cores in (4, 64, 256):
            wide = prepare(override(scenario, [f"machine.cores={cores}"], None))
            seconds, deliveries, _ = min(
                timed(wide, kind="order", check=False, folder=Path(folder)) for _ in range(_ROUNDS)
            )
            busy = every_core_busy(cores)
            busy_s, busy_deliveries, _ = min(
                timed(busy, kind="order", check=False, folder=Path(folder)) for _ in range(_ROUNDS)
            )
            print(
                f"{cores:4} cores: {seconds / deliveries * 1e6:.2f} us a delivery; "
                f"all busy: {busy_s / busy_deliveries * 1e6:.2f} us of {busy_deliveries:,}"
            )
    profile(setup)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "gitrepack-snmalloc")
