"""`holezero corpus`: the recorded answers of a real kernel against the simulated one."""

from pathlib import Path

import click

from cluster.commands import exit_codes
from cluster.corpus.program import ALWAYS, AS_RECORDED, NEVER, RANDOM


@click.command("corpus", short_help="Compare with recorded answers of a real kernel.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--reclaim",
    type=click.Choice([AS_RECORDED, NEVER, ALWAYS, RANDOM]),
    default=AS_RECORDED,
    show_default=True,
    help="When pages are reclaimed that may be: where the recording says so (MADV_PAGEOUT), "
    "never, as soon as they may be, or also between operations drawn by the seed.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@click.pass_context
def corpus_command(
    context: click.Context,
    /,
    file: Path,
    *,
    reclaim: str,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a corpus of recorded sequences of memory operations, and compare every outcome.

    FILE holds a sequence of operations a line, by one or several processes, with what each gave on
    a real Linux kernel: values, errno, signals, residency. The simulated kernel makes the same
    calls under a policy like Linux's. Sequences that emulate HOLE and ZERO by pairs of calls run
    once more with the real calls, and must give the same.

    \b
    holezero corpus linux_vmops.jsonl.gz
    holezero corpus linux_vmops.jsonl.gz --reclaim random --seed 7 --json

    Exit codes: 0 nothing differed and no promise was broken, 1 something did, 2 bad input.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from cluster.commands.output.corpus_result import WAYS, encode, print_reports
    from cluster.commands.output.progress import progress_bar
    from cluster.corpus import judging

    reports = {}
    for way, about in WAYS.items():
        with progress_bar(f"{file.name}, {about}", quiet=quiet) as show:
            reports[way] = judging.run(file, way, reclaim=reclaim, seed=seed, progress=show)
    if as_json:
        click.echo(encode(reports, reclaim=reclaim, seed=seed))
    else:
        print_reports(reports)
    bad = any(report.differed or report.violations for report in reports.values())
    context.exit(exit_codes.VIOLATED if bad else 0)
