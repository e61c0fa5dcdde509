"""Runs as `holezero run` and `holezero compare` make them: one preset after the other."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import click
import msgspec

from cluster.commands import exit_codes
from cluster.commands.given.target import Target
from cluster.commands.output.progress import progress
from cluster.commands.output.runs.table import print_runs
from cluster.hosts.garbage import collect_seldom
from cluster.hosts.model import MODEL
from cluster.input_error import InputError
from cluster.live.errors import LiveError
from cluster.properties.checkable import require_checkable
from cluster.results.json_text import json_text
from cluster.results.summary import Summary, Verdict, encode
from cluster.runs.inline_run import run_inline
from cluster.runs.judged_run import (
    INLINE,
    RAY_FREE,
    Engine,
    Finished,
    Options,
    Request,
    Watch,
    judge,
)
from cluster.scenario.setup import Setup


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The options of both commands, as click gives them."""

    #: None for these: not given; as in the manifest, if there is one
    engine: Literal["inline", "ray"] | None
    sync: str
    presets: tuple[str, ...]
    settings: tuple[str, ...]
    seed: int | None
    out: Path | None
    trace: Literal["full", "order", "off"] | None
    check: Literal["on", "off"] | None
    limit_ops: int | None
    metrics_port: int | None
    as_json: bool
    quiet: bool


def choices_of(given: Mapping[str, object]) -> Choices:
    """Return the options as click gives them, typed."""
    return msgspec.convert(given, Choices)


def run_presets(
    target: Target, choices: Choices, presets: Sequence[str | None], *, typed: Sequence[str] | None
) -> int:
    """Run under each preset in turn, print, and return the worst exit code.

    presets: None is the scenario's own policy. typed: the command line, for the manifest.
    """
    if target.kept is not None and target.kept.model != MODEL:
        click.echo(
            f"{target.where}: was made by machines of model {target.kept.model}, these are model "
            f"{MODEL}: the run may differ",
            err=True,
        )
    # every policy is looked at before the first run starts
    setups = [target.setup(list(choices.settings), p, choices.seed) for p in presets]
    requests = [
        _request(choices, target, setup, typed or (), several=len(setups) > 1) for setup in setups
    ]
    collect_seldom()
    done: list[Finished] = []
    with ExitStack() as stack:
        watch = _serve(choices.metrics_port, stack)
        for request in requests:
            done.append(_run_one(request, watch, quiet=choices.quiet))
            if done[-1].signal:
                break
    summaries = [one.summary for one in done]
    if choices.as_json:
        _print_json(summaries, several=len(setups) > 1)
    else:
        print_runs(summaries)
    return _exit_code(done)


def _serve(port: int | None, stack: ExitStack) -> Callable[[Request], Watch] | None:
    """Serve metrics while the stack is open, if there is a port; return what watches a run."""
    if port is None:
        return None
    from dashboards.metrics_server import MetricsServer

    try:
        server = MetricsServer(port)
    except OSError as e:
        raise InputError(f"--metrics-port {port}: {e.strerror}; 0 takes a free port") from e
    stack.callback(server.close)
    click.echo(f"metrics: {server.url}", err=True)
    return server.metrics.watch


def _request(
    choices: Choices, target: Target, setup: Setup, typed: Sequence[str], *, several: bool
) -> Request:
    """Return the request of one run.

    Raises:
        InputError: its machine is too large to be checked.
    """
    out = choices.out
    if out is not None and several:
        out /= setup.preset
    options = _options(choices, target, out, typed)
    if options.check:
        require_checkable(setup)
    return Request(name=target.name, setup=setup, options=options)


def _options(choices: Choices, target: Target, out: Path | None, typed: Sequence[str]) -> Options:
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


def _run_one(
    request: Request, watch: Callable[[Request], Watch] | None, *, quiet: bool
) -> Finished:
    with progress(request.setup.preset, quiet=quiet) as shown:
        watches = shown if watch is None else (*shown, watch(request))
        request = msgspec.structs.replace(request, watches=watches)
        return judge(request, engine_of(request.options.engine), (InputError, LiveError))


def engine_of(name: str) -> Engine:
    """Find the engine; only a live one imports Ray, which takes seconds."""
    if name == INLINE:
        return run_inline
    from cluster.live.engine import run_on_ray

    return run_on_ray


def _print_json(summaries: list[Summary], *, several: bool) -> None:
    if not several:
        click.echo(encode(summaries[0]), nl=False)
        return
    verdicts = [one.verdict for one in summaries]
    worst = Verdict.VIOLATED if Verdict.VIOLATED in verdicts else max(verdicts)
    whole = {"verdict": worst, "runs": summaries}
    click.echo(json_text(whole))


def _exit_code(done: list[Finished]) -> int:
    """Return the exit code of one or several runs: interrupted, violated, bad input, or well."""
    signals = [one.signal for one in done if one.signal]
    if signals:
        return exit_codes.of_signal(signals[0])
    verdicts = {one.summary.verdict for one in done}
    if Verdict.VIOLATED in verdicts:
        return exit_codes.VIOLATED
    return exit_codes.BAD_INPUT if Verdict.WAITS in verdicts else 0
