"""Keep an order that was found as a trace, which replays like one of a live run."""

from collections.abc import Iterable
from pathlib import Path

from actors.wiring import build
from cluster.hosts.channel import TIMER, Channel
from cluster.hosts.untimed import MachineFailedError, UntimedRun
from cluster.scenario.setup import Setup
from cluster.trace.format import Delivery, End, ReceiverCheckpoint, TimerDelivery, header_of
from cluster.trace.writer import TraceWriter

#: the engine in the header of such a trace
EXPLORED = "explored"
#: begins the verdict of such a trace, before the promise
VIOLATED = "violated: "


def write_witness(path: Path, setup: Setup, channels: Iterable[Channel], verdict: str) -> End:
    """Run an order again and write it as a trace, every message in full.

    verdict: for the last record.

    Raises:
        InputError: the file cannot be written.
    """
    with TraceWriter(path, header_of(setup, engine=EXPLORED, kind="full")) as trace:

        def record(channel: Channel, data: bytes) -> None:
            kind = TimerDelivery if channel[1] == TIMER else Delivery
            trace.add(kind(channel[0], data))

        run = UntimedRun(build(setup.wiring, setup.settings, setup.guest), record=record)
        failures: dict[str, str] = {}
        run.start()
        for channel in channels:
            try:
                run.deliver(channel)
            except MachineFailedError as e:
                failures[setup.wiring.names[e.actor]] = e.text
        for dst, received in enumerate(run.received):
            trace.add(ReceiverCheckpoint(dst, received, run.digest.receiver(dst)))
        end = End(
            deliveries=run.deliveries,
            digest=run.digest.combined().hex(),
            verdict=verdict,
            complete=not failures and not len(run.mailboxes),
            failures=failures,
        )
        trace.finish(end)
    return end
