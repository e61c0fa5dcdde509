"""`holezero compare RECORDING`: faults and TLB flushes of a real kernel beside simulated ones."""

from pathlib import Path

import click
from rich.text import Text

from cluster.commands.output.progress import progress_bar
from cluster.commands.output.tables import console, plain_table
from cluster.importers.recording.recording_kind import kind_of
from cluster.input_error import InputError
from cluster.oracle.comparison import COMPARED, Oracle, compare_recording
from cluster.oracle.flushes import GAPS
from cluster.results.json_text import json_text

#: the part of the recorded faults that the simulation must have, of all and of each cause that has
#: more than so many
AGREE_ALL, AGREE_CAUSE, CAUSE_EVENTS = 0.95, 0.80, 100
#: files that are never recordings
_OTHERS = {".toml", ".hzw", ".json", ".trace"}


def is_recording(path: Path) -> bool:
    """Say whether a file is a recording of page faults.

    Raises:
        InputError: it is a recording, but not of page faults.
    """
    if not path.is_file() or path.suffix in _OTHERS:
        return False
    kind = kind_of(path)
    if kind == "strace":
        raise InputError(
            f"{path}: a recording by strace shows no page faults to compare with; "
            f"`holezero import strace {path} -o W.hzw` makes a workload of it"
        )
    return kind is not None


def compare_faults(path: Path, *, seed: int, as_json: bool, quiet: bool) -> int:
    """Compare, print, and give the exit code: 1 where too much differs."""
    with progress_bar(path.name, quiet=quiet) as show:
        found = compare_recording(path, seed=seed, progress=show)
    agrees = _agrees(found)
    if as_json:
        click.echo(json_text(_json(found, agrees=agrees)))
    else:
        _print(found, agrees=agrees)
    return int(not agrees)


def _agrees(found: Oracle) -> bool:
    model = found.model
    causes = (model.by_label[label.name.lower()] for label in COMPARED)
    return model.recall >= AGREE_ALL and all(
        one.faulted >= AGREE_CAUSE * one.accesses for one in causes if one.accesses > CAUSE_EVENTS
    )


def _json(found: Oracle, *, agrees: bool) -> dict[str, object]:
    model = found.model
    return {
        "recording": found.report.source,
        "program": found.report.program,
        "process": found.report.process,
        "processes": found.processes,
        "agrees": agrees,
        "recorded": model.recorded,
        "agreed": round(model.recall * model.recorded),
        "agreement": model.recall,
        "agreement_if_advice_is_ignored": found.null.recall,
        "by_cause": {
            name: {
                "recorded": row.accesses,
                "agreed": row.faulted,
                "simulated": row.simulated,
            }
            for name, row in model.by_label.items()
            if row.accesses
        },
        "false_faults": model.false_faults,
        "not_compared": found.excluded,
        "flushes": found.flushes,
        "why_flushes_differ": [" ".join(text.split()) for text in GAPS],
    }


def _print(found: Oracle, *, agrees: bool) -> None:
    out, model = console(), found.model
    report = found.report
    title = f"{report.source}: process {report.process} {report.program}, {found.processes} in all"
    out.print(Text(title, style="bold"))
    table = plain_table(out, "page faults on anonymous memory", "recorded", "agree", "", "how")
    compared = {label.name.lower() for label in COMPARED}
    for name, row in model.by_label.items():
        if row.accesses:
            how = ", ".join(f"{cause} {count:,}" for cause, count in row.simulated.items())
            share = f"{row.faulted / row.accesses:.2%}"
            agreed = (f"{row.faulted:,}", share) if name in compared else ("", "")
            told = name.replace("_", " ") + ("" if name in compared else " (not compared)")
            table.add_row(told, f"{row.accesses:,}", *agreed, how)
    agreed_all = round(model.recall * model.recorded)
    table.add_row("all", f"{model.recorded:,}", f"{agreed_all:,}", f"{model.recall:.2%}", "")
    out.print(table)
    retouches = sum(model.by_label[name].accesses for name in ("retouch", "retouch_freed"))
    out.print(
        f"touches of present pages that faulted: {model.false_faults:,} of {retouches:,}; "
        f"a kernel that ignores advice agrees on {found.null.recall:.2%}"
    )
    table = plain_table(
        out, "TLB flushes during", "local recorded", "simulated", "remote recorded", "simulated"
    )
    for context, one in found.flushes.by_context.items():
        counts = (
            one.recorded_local,
            one.simulated_local,
            one.recorded_remote,
            one.simulated_remote,
        )
        table.add_row(context, *(f"{count:,}" for count in counts))
    out.print(table)
    for text in GAPS:
        out.print(Text(f"why they differ: {' '.join(text.split())}", style="dim"))
    if not agrees:
        least = f"{AGREE_ALL:.0%} of all, {AGREE_CAUSE:.0%} of each cause with more than"
        out.print(Text(f"too much differs: {least} {CAUSE_EVENTS} faults must agree", style="red"))
