"""The inline engine of the command line: a run in pieces, so that others hear in between."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.properties.checker import Checker
from cluster.properties.violation import Violation
from cluster.results.meter import Results
from cluster.results.summary import verdict_of
from cluster.runs.interruption import Interruption, interruptible
from cluster.runs.judged_run import Place, Ran, Request
from cluster.trace.format import end_of, header_of
from cluster.trace.writer import TraceWriter

#: deliveries between two pauses, some 50 ms: what a key press or a scrape waits for
_PIECE = 4096


def run_inline(request: Request, place: Place) -> Ran:
    """Run a setup in this process, in simulated time, to quiescence or its limit.

    Raises:
        ProtocolError, AssertionError: a machine broke the protocol, or a host's invariant.
    """
    setup, options = request.setup, request.options
    machines = build(setup.wiring, setup.settings, setup.guest)
    results = Results()
    checker = Checker(setup) if options.check else None
    with ExitStack() as stack:
        trace = None
        if options.trace != "off":
            header = header_of(setup, engine="inline", kind=options.trace)
            trace = stack.enter_context(TraceWriter(place.trace, header))
        host = InlineHost(
            setup.wiring,
            machines,
            setup.latency(),
            observers=(checker,) if checker is not None else (),
            listeners=(results,),
            record=trace.record if trace is not None and options.trace == "full" else None,
            limit=options.limit_ops,
        )
        interruption = stack.enter_context(interruptible())
        started_s = time.perf_counter()
        _run_to_end(request, host, results, trace, interruption)
        wall_s = time.perf_counter() - started_s
        results.finish(host.now)
        outcome = host.outcome()
        violations, not_promised = _verdict(checker, complete=outcome.complete)
        if trace is not None:
            trace.finish(end_of(outcome, verdict=verdict_of(violations)))
    return Ran(
        outcome=outcome,
        results=results,
        wall_s=wall_s,
        violations=violations,
        not_promised=not_promised,
        signal=interruption.number,
    )


def _run_to_end(
    request: Request,
    host: InlineHost,
    results: Results,
    trace: TraceWriter | None,
    interruption: Interruption,
) -> None:
    piece: Callable[[], bool] = (
        (lambda: trace.run(host, _PIECE))
        if trace is not None
        else (lambda: host.run(pause_after=_PIECE) or host.deliveries == host.limit)
    )
    host.start()
    over = False
    while not over and not interruption.number:
        over = piece()
        for watch in request.watches:
            watch(host.deliveries, host.now, results)


def _verdict(
    checker: Checker | None, *, complete: bool
) -> tuple[list[Violation] | None, dict[str, int]]:
    if checker is None:
        return None, {}
    checker.finish(complete=complete)
    return list(checker.violations), dict(checker.broken_unpromised)
