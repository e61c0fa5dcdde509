"""The Ray engine of the command line: run live, then judge and measure the trace by its replay.

During the run, metrics are fed with the facts that the polls of the actors bring. The replay then
states all facts again, in an order that respects happens-before, to the observers that an inline
run has: these give the figures of the run.
"""

from cluster.live.judging import hear
from cluster.live.launch import run_live
from cluster.live.outcome import LiveOutcome
from cluster.properties.checker import Checker
from cluster.results.meter import Results
from cluster.runs.interruption import interruptible
from cluster.runs.judged_run import Place, Ran, Request


def run_on_ray(request: Request, place: Place) -> Ran:
    """Run a setup with every machine as an actor process, to quiescence or roughly to its limit.

    Raises:
        WorkerDiedError: an actor's process is gone; the trace keeps what replays.
        LiveError: Ray failed, a machine raised, or the trace does not replay.
    """
    options = request.options
    heard = Results(timed=False)

    def on_progress(deliveries: int) -> None:
        for watch in request.watches:
            watch(deliveries, 0, heard)

    with interruptible() as interruption:
        outcome = run_live(
            request.setup,
            out=place.trace,
            kind="full" if options.trace == "full" else "order",
            limit=options.limit_ops,
            on_progress=on_progress,
            listener=heard,
            stop=lambda: bool(interruption.number),
        )
    place.log.info("live run ends", deliveries=outcome.deliveries, startup_s=outcome.startup_s)
    ran = _judged(request, place, outcome, interruption.number)
    for watch in request.watches:
        watch(outcome.deliveries, 0, ran.results)
    if options.trace == "off":
        place.trace.unlink()
    return ran


def _judged(request: Request, place: Place, outcome: LiveOutcome, signal: int) -> Ran:
    """Replay the trace for its facts and for the checker."""
    results = Results(timed=False)
    checker = Checker(request.setup) if request.options.check else None
    hear(place.trace, request.setup, checker, (results,), complete=outcome.complete)
    return Ran(
        outcome=outcome,
        results=results,
        wall_s=outcome.wall_s,
        violations=None if checker is None else list(checker.violations),
        not_promised={} if checker is None else dict(checker.broken_unpromised),
        signal=signal,
        host={
            "startup_s": round(outcome.startup_s, 3),
            "calls": outcome.calls,
            "messages_per_call": round(outcome.messages_per_call, 2),
            "polls": outcome.polls,
            "busy_ns": outcome.busy_ns,
        },
    )
