"""`holezero run` and `holezero compare`: scenarios, recorded workloads and kept runs."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from cluster.commands.compare_recording import compare_faults, is_recording
from cluster.commands.output.progress import progress
from cluster.commands.output.tables import print_runs
from cluster.commands.run_options import Choices, run_options
from cluster.commands.target import Target, find
from cluster.hosts.model import MODEL
from cluster.input_error import InputError
from cluster.live.outcome import LiveError
from cluster.results.json_text import json_text
from cluster.results.summary import Summary, Verdict, encode
from cluster.runs.inline_run import run_inline
from cluster.runs.judged_run import INLINE, RAY_FREE, Engine, Finished, Options, Request, judge
from dashboards.metrics import RunMetrics
from dashboards.metrics_server import MetricsServer

#: what `holezero compare` compares unless told otherwise
COMPARED = ("fatal-hole", "flag-only", "madv-free", "dontneed-linux")


@click.command("run", short_help="Run a scenario or a recorded workload, and judge it.")
@run_options
@click.pass_context
def run_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario, a recorded workload or a kept run's manifest, and judge it.

    SCENARIO is a file (.toml, .hzw, manifest.json), a run's folder, or the name of a shipped
    scenario or workload (`holezero scenarios`). The run is kept under runs/, `runs/latest` points
    to the last one.

    \b
    holezero run sqlite-snmalloc
    holezero run sqlite-snmalloc --preset flag-only --set machine.cores=8
    holezero run my.toml --set zeroing=inline --trace full --out /tmp/a-run
    holezero run runs/latest                      the same again
    holezero run my.toml --engine ray             with real concurrency

    Exit codes: 0 held (or unchecked), 1 a promise was broken, 2 bad input, 4 a worker died,
    70 an error of the program, 130 interrupted.
    """  # noqa: D301 - click's mark for lines that stay as they are
    choices = msgspec.convert(given, Choices)
    _run_all(context, find(scenario), choices, tuple(dict.fromkeys(choices.presets)) or (None,))


@click.command("compare", short_help="Run several policies, side by side in one table.")
@run_options
@click.pass_context
def compare_command(context: click.Context, /, scenario: str, **given: object) -> None:
    """Run a scenario under several presets and print them side by side, or compare a recording.

    SCENARIO may be a recording of page faults (.ft, .ft.gz): the simulated kernel then makes the
    recorded calls, children included, and every recorded fault on anonymous memory is looked for.
    Exits with 1 if fewer than 95 % of them agree, or 80 % of a cause with more than 100.

    Without --preset: fatal-hole, flag-only, madv-free and dontneed-linux. Exits with the worst
    of their exit codes.

    \b
    holezero compare main-job
    holezero compare my.hzw --preset fatal-hole --preset unmap --json
    holezero compare my.ft.gz
    """  # noqa: D301 - click's mark for lines that stay as they are
    choices = msgspec.convert(given, Choices)
    if is_recording(Path(scenario)):
        context.exit(
            compare_faults(
                Path(scenario),
                seed=choices.seed or 0,
                as_json=choices.as_json,
                quiet=choices.quiet,
            )
        )
    _run_all(context, find(scenario), choices, tuple(dict.fromkeys(choices.presets)) or COMPARED)


def _run_all(
    context: click.Context,
    target: Target,
    choices: Choices,
    presets: tuple[str | None, ...],
) -> None:
    """Run under each preset in turn, print, and exit with the worst code."""
    # every policy is looked at before the first run starts
    if target.kept is not None and target.kept.model != MODEL:
        click.echo(
            f"{target.where}: was made by machines of model {target.kept.model}, these are model "
            f"{MODEL}: the run may differ",
            err=True,
        )
    setups = [target.setup(list(choices.settings), p, choices.seed) for p in presets]
    done: list[Finished] = []
    with ExitStack() as stack:
        metrics = None
        if choices.metrics_port is not None:
            server = _serve(choices.metrics_port)
            stack.callback(server.close)
            click.echo(f"metrics: {server.url}", err=True)
            metrics = server.metrics
        for setup in setups:
            out = choices.out
            if out is not None and len(setups) > 1:
                out /= setup.preset
            request = Request(
                name=target.name,
                setup=setup,
                options=_run_options(choices, target, out, context.find_object(list) or []),
            )
            done.append(_run_one(request, choices, metrics))
            if done[-1].signal:
                break
    summaries = [one.summary for one in done]
    if choices.as_json:
        _print_json(summaries, several=len(setups) > 1)
    else:
        print_runs(summaries)
    context.exit(exit_code(done))


def _serve(port: int) -> MetricsServer:
    try:
        return MetricsServer(port)
    except OSError as e:
        raise InputError(f"--metrics-port {port}: {e.strerror}; 0 takes a free port") from e


def _run_options(
    choices: Choices, target: Target, out: Path | None, typed: Sequence[str]
) -> Options:
    """Return the options: as typed, else as in the manifest, else the defaults."""
    kept = target.kept
    known = Options()
    if kept is not None:
        known = Options(
            engine=kept.engine, trace=kept.trace, check=kept.check, limit_ops=kept.limit_ops
        )
    engine = known.engine
    if choices.engine is not None:
        engine = INLINE if choices.engine == "inline" else RAY_FREE
    return Options(
        engine=engine,
        trace=choices.trace or known.trace,
        check=known.check if choices.check is None else choices.check == "on",
        limit_ops=known.limit_ops if choices.limit_ops is None else choices.limit_ops,
        out=out,
        command=typed,
    )


def _run_one(request: Request, choices: Choices, metrics: RunMetrics | None) -> Finished:
    title = request.setup.preset
    with progress(title, quiet=choices.quiet) as shown:
        watches = shown if metrics is None else (*shown, metrics.watch(request))
        request = msgspec.structs.replace(request, watches=watches)
        return judge(request, engine_of(request.options.engine), (InputError, LiveError))


def engine_of(name: str) -> Engine:
    """Find the engine; only a live one imports Ray."""
    if name == INLINE:
        return run_inline
    from cluster.live.engine import run_on_ray  # noqa: PLC0415 - importing ray takes seconds

    return run_on_ray


def _print_json(summaries: list[Summary], *, several: bool) -> None:
    if not several:
        click.echo(encode(summaries[0]), nl=False)
        return
    verdicts = [one.verdict for one in summaries]
    worst = Verdict.VIOLATED if Verdict.VIOLATED in verdicts else max(verdicts)
    whole = {"verdict": worst, "runs": summaries}
    click.echo(json_text(whole))


def exit_code(done: list[Finished]) -> int:
    """Return the exit code of one or several runs: interrupted, violated, or well."""
    signals = [one.signal for one in done if one.signal]
    if signals:
        return 128 + signals[0]
    return int(any(one.summary.verdict is Verdict.VIOLATED for one in done))
