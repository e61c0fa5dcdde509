"""A machine as a Ray actor: a process of its own that others reach only by batches of messages.

`deliver` takes a batch in, handles it and answers with one batch to each receiver: one Ray call
costs a millisecond whatever it carries. What it leaves (timers, a mailbox above the bound) is done
by `pump`, a call that the actor makes to itself: it waits its turn after the calls that are there
already, so a timer goes after all that has arrived. With jitter `deliver` only takes in: `pump`
then has several messages to choose from.

No method raises: what goes wrong is told by `status`, since nobody waits for the other calls.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import ray

from actors.guest.program import Guest
from actors.guest.script import Script
from actors.settings import Settings
from actors.wiring import Wiring, build_one
from cluster.hosts.untimed import failure_text
from cluster.live.node import LiveNode
from cluster.live.own_code import OwnCode, own_code, why_other_code
from cluster.trace.receiver_log import ReceiverLog
from cluster.workload.reader import Workload

#: messages handled by one call: bounds how long a poll waits
_PUMP_MOST = 512
#: an actor whose log the driver has not taken away at this size waits until it has
_LOG_BYTES_MAX = 4 * 1024 * 1024


class Part(msgspec.Struct, frozen=True):
    """What a machine's process starts from."""

    me: int
    wiring: Wiring
    settings: Settings
    #: a script, or None where the guest comes as the bytes of a workload, or is not needed
    guest: Guest | None
    full: bool
    jitter: int | None
    driver: OwnCode


class Status(msgspec.Struct, frozen=True, array_like=True):
    """How an actor stands, and the piece of its log since the last time."""

    sent: int
    taken_in: int
    handled: int
    idle: bool
    #: what the machine raised
    failed: str
    #: what went wrong around the machine
    broken: str
    log: bytes
    #: batches received
    calls: int
    #: facts since the last time
    facts: bytes


class Last(msgspec.Struct, frozen=True, array_like=True):
    """What an actor tells when the run is over."""

    status: Status
    digest: bytes
    busy_ns: int
    facts: dict[str, int]
    waiting: list[str]


#: for machines that have none to run
_NO_GUEST: Any = Script((), ())


class MachineHost:
    """The actor; `cluster.live.launch` makes it one. Single-threaded: calls run one by one."""

    def __init__(self, part: Part, workload: bytes | None) -> None:
        """Build the machine, if this process runs the driver's code.

        workload: the bytes of a workload file, for a core of a recorded guest.
        """
        self._broken = why_other_code(own_code(), part.driver)
        self._pumping = False
        self._peers: list[Any] = []
        self._part = part
        self._guest: Guest = part.guest if part.guest is not None else _NO_GUEST
        if workload is not None:
            self._guest = Workload.from_bytes(workload)
        self._self: Any = ray.get_runtime_context().current_actor
        self._take_machine(part.jitter)

    def _take_machine(self, jitter: int | None) -> None:
        """Take a fresh machine, which has not begun."""
        part = self._part
        machine = build_one(part.wiring, part.me, part.settings, self._guest)
        log = ReceiverLog(part.me, full=part.full)
        self._node = LiveNode(part.me, machine, log, jitter=jitter)
        self._jitter = jitter is not None
        self._stopped = bool(self._broken)
        self._calls = 0

    def reset(self, jitter: int | None) -> None:
        """Be ready for another run; only when all are stopped and nothing is on its way.

        A pump that is pending still stays so: it finds the new mailbox, or nothing.
        """
        self._take_machine(jitter)

    def connect(self, peers: list[Any]) -> str:
        """Learn the other actors, in order of their ids; return what is wrong here, or nothing."""
        self._peers = peers
        return self._broken

    @ray.method(num_returns=0)
    def begin(self) -> None:
        """Start the machine."""
        self._guarded(self._node.begin)
        self._send()
        self._wake()

    @ray.method(num_returns=0)
    def deliver(self, batch: bytes) -> None:
        """Take a batch into the mailbox, and handle it unless that is left to `pump`."""
        self._calls += 1
        self._guarded(lambda: self._node.enqueue(batch))
        if not (self._pumping or self._jitter or self._stopped or self._log_is_full()):
            self._guarded(lambda: self._node.drain(_PUMP_MOST))
            self._send()
        self._wake()

    @ray.method(num_returns=0)
    def pump(self) -> None:
        """Handle what is in the mailbox, then a timer."""
        self._pumping = False
        if not self._stopped:
            self._guarded(lambda: self._node.pump(1 if self._jitter else _PUMP_MOST))
            self._send()
        self._wake()

    def status(self) -> bytes:
        """Tell how it stands (`Status`) and hand the log over."""
        status = self._status()
        self._wake()
        return msgspec.msgpack.encode(status)

    def stop(self) -> bytes:
        """Handle nothing more, and tell the end (`Last`)."""
        self._stopped = True
        self._node.log.checkpoint(self._node.digest)
        last = Last(
            self._status(),
            self._node.digest,
            self._node.busy_ns,
            dict(self._node.facts),
            self._node.machine.waiting(),
        )
        return msgspec.msgpack.encode(last)

    def _status(self) -> Status:
        node = self._node
        log = node.log.take()
        news, node.news = node.news, []
        return Status(
            node.sent,
            node.taken_in,
            node.handled,
            node.idle,
            node.failed,
            self._broken,
            log,
            self._calls,
            msgspec.msgpack.encode(news),
        )

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as e:  # noqa: BLE001 - nobody waits for this call: `status` tells it
            self._broken = failure_text(e)
            self._stopped = True

    def _log_is_full(self) -> bool:
        return self._node.log.size > _LOG_BYTES_MAX

    def _send(self) -> None:
        """Send what came of it; the log has already what it came from."""
        for dst, batch in self._node.outgoing():
            self._peers[dst].deliver.remote(batch)

    def _wake(self) -> None:
        """See to it that a pump is pending if there is anything to do."""
        if self._pumping or self._stopped or self._node.idle:
            return
        if self._log_is_full():
            return  # the next poll takes the log away and wakes us
        self._pumping = True
        self._self.pump.remote()
