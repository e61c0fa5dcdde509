"""Run recordings and workloads under every preset and print what each costs.

.venv/bin/python tests/bench/presets.py [--timing T] [--cores N] [--machine KEY=VALUE]... FILES...

FILES: recordings (`.ft.gz`, `.strace.gz`), imported with default options to a temporary folder, or
workloads (`.hzw`). Inline, checks off; latencies are simulated, the last row is of this machine.
All presets run on one machine; those that it cannot run are left out, and named. For broadcast
invalidation beside the rest: --machine profile=x86-invlpgb.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from click import echo

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from cluster.importers.strace import import_strace
from cluster.input_error import InputError
from cluster.results.figures import Metrics
from cluster.results.meter import Results
from cluster.scenario.scenario import MachineTable, Scenario, WorkloadTable
from cluster.scenario.setup import Setup, prepare
from cluster.workload.reader import Workload
from kernel.policy.presets import PRESETS


class Ran(msgspec.Struct, frozen=True):
    """One run: what it cost and how long it took here."""

    deliveries: int
    simulated_ns: int
    wall_s: float
    metrics: Metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--timing", default="recorded")
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--machine", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--children", action="store_true", help="import forked children, too")
    chosen = parser.parse_args()
    keys = dict(one.split("=", 1) for one in chosen.machine)
    table = {key: int(value) if value.isdecimal() else value for key, value in keys.items()}
    machine = msgspec.convert({"cores": chosen.cores, **table}, MachineTable)
    for source in chosen.files:
        with tempfile.TemporaryDirectory(prefix="holezero-presets-") as folder:
            path = imported(source, Path(folder), children=chosen.children)
            table = WorkloadTable(file=str(path), timing=chosen.timing)
            runs = dict(runs_of(machine, table))
            show(source.name, Workload.open(path), runs)


def runs_of(machine: MachineTable, table: WorkloadTable) -> Iterator[tuple[str, Ran]]:
    """Run the presets that the machine can run; say which it cannot."""
    for preset in PRESETS:
        one = Scenario(machine=machine, policy={"preset": preset}, workload=table)
        try:
            setup = prepare(one)
        except InputError as e:
            echo(f"{preset} is left out: {e}", err=True)
        else:
            yield preset, run(setup)


def imported(source: Path, folder: Path, *, children: bool) -> Path:
    """Return the workload of a recording, or the file if it is one."""
    out = folder / "w.hzw"
    if ".ft" in source.suffixes:
        import_faults(source, out, ImportOptions(children=children), no_progress)
    elif ".strace" in source.suffixes:
        import_strace(source, out, ImportOptions(), no_progress)
    else:
        return source
    return out


def run(setup: Setup) -> Ran:
    results = Results()
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency(), listeners=(results,))
    started = time.perf_counter()
    host.start()
    host.run()
    wall_s = time.perf_counter() - started
    results.finish(host.now)
    waiting = host.outcome().waiting
    assert not waiting, f"the run hangs: {waiting[:3]}"
    return Ran(host.deliveries, host.now, wall_s, results.metrics())


def show(name: str, workload: Workload, runs: dict[str, Ran]) -> None:
    meta = workload.meta
    echo(
        f"== {name}: {meta.program or '-'}; {len(workload.threads)} threads, "
        f"{workload.instructions:,} instructions, {meta.pages:,} pages, "
        f"{meta.counts.get('release', 0):,} releases, {meta.counts.get('reuse', 0):,} reuses"
    )
    echo(f"   {'':26}" + "".join(f"{preset:>20}" for preset in runs))
    tables = {preset: rows(one) for preset, one in runs.items()}
    for row in next(iter(tables.values())):
        echo(f"   {row:26}" + "".join(f"{table[row]:>20}" for table in tables.values()))
    echo("")


def rows(ran: Ran) -> dict[str, str]:
    found = ran.metrics
    cells: dict[str, object] = {"deliveries": ran.deliveries}
    cells |= {f"faults {cause}": count for cause, count in found["faults"].items()}
    cells |= {"faults": sum(found["faults"].values()), "SIGSEGV": sum(found["segv"].values())}
    cells |= {
        "IPIs": found["ipis"]["sent"],
        "shootdowns of others": found["shootdown_wait"]["count"],
    }
    cells["shootdown wait us p50/p99"] = spread(found["shootdown_wait"])
    cells |= {f"pages zeroed {how}": count for how, count in found["pages_zeroed"].items()}
    for kind in ("hole", "zero", "advise_free", "advise_dontneed", "munmap", "mmap"):
        latency = found["operations"].get(kind)
        cells[f"{kind} calls"] = latency["count"] if latency else "-"
        cells[f"{kind} us p50/p99"] = spread(latency) if latency else "-"
    cells |= {f"reclaimed {what}": count for what, count in found["reclaimed"].items()}
    cells |= {f"swap {way}": count for way, count in found["swap"].items()}
    cells["calls that failed"] = sum(found["errors"].values())
    cells["resident peak"] = found["resident"]["peak_pages"]
    cells["resident mean"] = round(found["resident"]["mean_pages"])
    cells |= {"simulated ms": ran.simulated_ns / 1e6, "wall s": ran.wall_s}
    return {row: text(cell) for row, cell in cells.items()}


def spread(latency: dict[str, int]) -> str:
    if latency["p50_ns"] is None:
        return "-"
    return f"{latency['p50_ns'] / 1000:.1f}/{latency['p99_ns'] / 1000:.1f}"


def text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


if __name__ == "__main__":
    main()
