"""A recording of a real kernel beside its simulation, printed or as JSON."""

from rich.text import Text

from cluster.commands.output.console import console, plain_table
from cluster.oracle.comparison import COMPARED, Oracle
from cluster.oracle.flushes import GAPS
from cluster.results.json_text import json_text


def encode(found: Oracle, *, agrees: bool) -> bytes:
    """Return what was found as JSON."""
    model = found.model
    fields = {
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
    return json_text(fields)


def print_comparison(found: Oracle, *, too_little: str) -> None:
    """Print faults and flushes; `too_little`: why it does not agree, or ""."""
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
    if too_little:
        out.print(Text(f"too much differs: {too_little}", style="red"))
