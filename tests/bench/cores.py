"""What a machine costs as it grows: time of a delivery, set-up, memory; checks are off.

    PYTHONPATH=. .venv/bin/python tests/bench/cores.py [CORES...]

Two guests of one process: 16 threads spread over the machine, whatever its size, and a thread on
every core. Each size runs in a process of its own, all of a row in turn, three times; the best
counts. Figures are ratios to the first size: machines differ, and are noisy.
"""

import json
import resource
import subprocess
import sys
import time

from click import echo

SIZES = (16, 256, 1024, 4096)
LARGE = (10_000, 16_384)
_ROUNDS = 3
#: at most so many; a run may end before
_DELIVERIES = 200_000
_BUSY = 16


def setup_of(cores: int, threads: int):
    """Make threads of one process, spread over the cores, each with pages of its own."""
    from cluster.scenario.scenario import MachineTable, Scenario, ThreadTable
    from cluster.scenario.setup import prepare

    rounds = max(1, 2048 // threads)
    rows = [
        ThreadTable(
            name=f"t{i}",
            core=i * (cores // threads),
            run=[
                f"map {16 * i} 8",
                *[f"store {16 * i} 8", f"hole {16 * i} 8", f"zero {16 * i} 8"] * rounds,
            ],
        )
        for i in range(threads)
    ]
    return prepare(Scenario(machine=MachineTable(cores=cores), thread=rows))


def measure(cores: int, threads: int) -> dict[str, float]:
    """Run once, in this process."""
    from actors.wiring import build
    from cluster.hosts.inline import InlineHost
    from cluster.results.meter import Results

    empty_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    setup = setup_of(cores, threads)
    prepared = time.process_time()
    machines = build(setup.wiring, setup.settings, setup.guest)
    built = time.process_time()
    host = InlineHost(setup.wiring, machines, setup.latency(), listeners=(Results(),))
    host.start()
    started = time.process_time()
    start_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    host.run(pause_after=_DELIVERIES)
    seconds = time.process_time() - started
    return {
        "prepare_s": prepared - began,
        "build_s": built - prepared,
        "host_s": started - built,
        "start_mib": (start_kib - empty_kib) / 1024,
        "peak_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - empty_kib) / 1024,
        "deliveries": host.deliveries,
        "us": seconds / host.deliveries * 1e6,
    }


def apart(cores: int, threads: int) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", str(cores), str(threads)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(found))


def table(sizes: tuple[int, ...]) -> None:
    """Print the time of a delivery by size."""
    for title, all_busy in ((f"{_BUSY} cores busy", False), ("all cores busy", True)):
        best: dict[int, dict[str, float]] = {}
        for _ in range(_ROUNDS):
            for cores in sizes:
                found = apart(cores, cores if all_busy else min(_BUSY, cores))
                if cores not in best or found["us"] < best[cores]["us"]:
                    best[cores] = found
        first = best[sizes[0]]["us"]
        echo(f"== {title}: us a delivery, and as a multiple of the first")
        for cores, found in best.items():
            echo(
                f"{cores:7,} cores: {found['us']:7.2f} us {found['us'] / first:6.2f} x "
                f"({found['deliveries']:,.0f} deliveries)"
            )


def starts(sizes: tuple[int, ...]) -> None:
    """Print set-up and memory."""
    echo("== set-up, a thread on every core, CPU s; memory above an empty Python's, MiB")
    for cores in sizes:
        found = apart(cores, cores)
        whole = sum(found[key] for key in ("prepare_s", "build_s", "host_s"))
        echo(
            f"{cores:7,} cores: {whole:5.2f} s (scenario {found['prepare_s']:.2f}, machines "
            f"{found['build_s']:.2f}, host {found['host_s']:.2f}), {found['start_mib']:,.0f} MiB, "
            f"{found['peak_mib']:,.0f} after {found['deliveries']:,.0f} deliveries, "
            f"{found['us']:.2f} us each"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        echo(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        sizes = tuple(map(int, sys.argv[1:]))
        table(sizes or SIZES)
        starts(sizes or LARGE)
