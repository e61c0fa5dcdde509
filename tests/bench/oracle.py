"""Print how the simulated faults of recordings agree with the recorded ones.

.venv/bin/python tests/bench/oracle.py FILES...
"""

import argparse
import time
from pathlib import Path

from click import echo

from cluster.oracle.comparison import Agreement, Comparison, Oracle, compare_recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for source in chosen.recordings:
        started = time.perf_counter()
        found = compare_recording(source, seed=chosen.seed)
        show(source.name.removesuffix(".gz"), found, time.perf_counter() - started)


def show(name: str, found: Oracle, wall_s: float) -> None:
    model, null = found.model, found.null
    total = sum(row.accesses for row in model.by_label.values()) + model.populated
    echo(f"== {name}: process {found.report.process}, {found.report.program} ({wall_s:.0f} s)")
    echo(f"   accesses {total:,}; recorded anonymous faults compared {model.recorded:,}")
    for title, run in (("simulated", model), ("null: advice ignored", null)):
        echo(
            f"   {title:21} recall {run.recall:9.4%}  precision {run.precision:.4%}"
            f"  re-touches that faulted {run.false_faults:,}"
        )
    echo(f"   {'always faulting':21} recall 100.0000%  precision {always(model):.4%}")
    echo(f"   {'':22}{'recorded':>9} {'faulted':>9} {'null':>9}  simulated causes")
    for label, row in model.by_label.items():
        if row.accesses:
            beside = null.by_label[label]
            echo(f"   {label:22}{row.accesses:9,} {row.faulted:9,} {beside.faulted:9,}  {how(row)}")
    if model.populated:
        echo(f"   {'populated':22}{model.populated:9,} {model.populated_faulted:9,}")
    echo(f"   excluded faults: {counts(found.excluded)}; no page to re-touch: {found.undrawn:,}")
    echo("")


def always(run: Comparison) -> float:
    made_up = run.by_label["retouch"].accesses
    return run.recorded / max(run.recorded + made_up, 1)


def how(row: Agreement) -> str:
    return ", ".join(f"{cause} {count:,}" for cause, count in row.simulated.items())


def counts(found: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in found.items()) or "none"


if __name__ == "__main__":
    main()
