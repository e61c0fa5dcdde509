"""What came of a replay, printed or as JSON."""

from pathlib import Path

from cluster.replay.replaying import ReplayResult
from cluster.results.json_text import json_text


def encode(path: Path, result: ReplayResult) -> bytes:
    """Return the result as JSON."""
    header = result.header
    return json_text(
        {
            "trace": str(path),
            "same": result.same,
            "deliveries": result.deliveries,
            "digest": result.digest,
            "simulated_ns": result.simulated_ns,
            "engine": header.engine,
            "kind": header.kind,
            "preset": header.preset,
            "prefix": result.end is None,
            "cut": result.end is not None and result.end.cut,
            "recorded_verdict": result.end.verdict if result.end is not None else "",
            "difference": result.difference,
            "failures": result.failures,
            "left_over": result.left_over,
            "waiting": result.waiting,
        }
    )


def replay_text(path: Path, result: ReplayResult) -> str:
    """Say what was compared and whether it is the same."""
    header = result.header
    kind = "every message" if header.kind == "full" else "every digest"
    if result.difference is not None:
        return f"{path}: differs\n{result.difference.text()}"
    lines = [
        f"{path}: the same: {result.deliveries:,} deliveries, {kind} compared",
        f"digest {result.digest}, {header.engine}, {header.preset}",
    ]
    if result.end is None:
        lines.append("the trace was cut short; this is what there is of it")
    elif result.end.cut:
        lines.append("the recorded run lost an actor; this is its causally closed prefix")
    if result.left_over:
        lines.append(f"{result.left_over:,} deliveries of the log lack their causes")
    lines += [f"failed as recorded: {name}: {text}" for name, text in result.failures.items()]
    return "\n".join(lines)
