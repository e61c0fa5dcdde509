"""The driver of a live run: polls the actors, keeps their logs, knows when the run is over.

By Mattern's four counters: when two successive waves of polls find every actor idle, and as many
messages taken in as sent, the same number in both, then nothing was on its way.
"""

import time
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import msgspec
import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.facts import FACTS
from cluster.hosts.host import Listener
from cluster.live.errors import LiveError
from cluster.live.host import Last, Status
from cluster.live.outcome import Kill
from cluster.trace.writer import TraceWriter

_STATUS = msgspec.msgpack.Decoder(Status)
_LAST = msgspec.msgpack.Decoder(Last)
_FACTS = msgspec.msgpack.Decoder(list[reduce(or_, FACTS)])  # type: ignore[misc]
_T = TypeVar("_T")
#: an actor that does not answer for so long is taken to be stuck
_ANSWER_S = 60.0
#: pause between waves: at least, at most; and so many times what the last wave took
_PAUSE_S = (0.02, 0.1)
_PAUSE_WAVES = 3.0


class ActorLostError(Exception):
    """An actor's process is gone; carries its id."""

    def __init__(self, actor: int) -> None:
        super().__init__(actor)
        self.actor = actor


class Driver:
    """Follows one live run from beginning to end."""

    def __init__(
        self,
        names: tuple[str, ...],
        actors: list[Any],
        writer: TraceWriter | None,
        listener: Listener | None = None,
    ) -> None:
        """Take over actors that are connected to each other and have not begun."""
        self.names = names
        self.actors = actors
        self.writer = writer
        self.listener = listener
        self.handled = 0
        self.polls = 0
        self._before: tuple[int, int] | None = None

    def run(
        self,
        *,
        limit: int | None,
        on_progress: Callable[[int], None] | None,
        stop: Callable[[], bool] | None,
        kill: Kill | None,
    ) -> bool:
        """Poll until the run is quiescent (True), or is stopped, at its limit or failed (False).

        Raises:
            ActorLostError: an actor's process is gone.
            LiveError: the transport failed.
        """
        for actor in self.actors:
            actor.begin.remote()
        while True:
            started_s = time.perf_counter()
            statuses = self._poll()
            if on_progress is not None:
                on_progress(self.handled)
            if self._quiescent(statuses):
                return True
            over = limit is not None and self.handled >= limit
            if over or any(s.failed for s in statuses) or (stop is not None and stop()):
                return False
            if kill is not None and self.handled >= kill.after:
                ray.kill(self.actors[self.names.index(kill.actor)], no_restart=True)
                kill = None
            wave_s = time.perf_counter() - started_s
            time.sleep(min(max(_PAUSE_S[0], _PAUSE_WAVES * wave_s), _PAUSE_S[1]))

    def finish(self) -> list[Last | None]:
        """Stop all actors and take the rest of their logs; None for those that are gone."""
        lasts: list[Last | None] = []
        for actor, reference in enumerate([a.stop.remote() for a in self.actors]):
            try:
                last = _LAST.decode(self._answer(actor, reference))
            except (ActorLostError, LiveError):
                lasts.append(None)
                continue
            self._keep(actor, last.status)
            lasts.append(last)
        self.handled = sum(last.status.handled for last in lasts if last is not None)
        return lasts

    def reset(self, jitter: int | None) -> None:
        """Reset all actors, which `finish` has stopped, to fresh machines for another run.

        Raises:
            ActorLostError: an actor's process is gone.
            LiveError: the transport failed.
        """
        self._settle()
        for actor, reference in enumerate([a.reset.remote(jitter) for a in self.actors]):
            self._answer(actor, reference)

    def _settle(self) -> None:
        """Wait for what was on its way when the actors stopped, which the next run must not get."""
        given_up_s = time.monotonic() + _ANSWER_S
        while True:
            statuses = self._poll()
            if sum(s.sent for s in statuses) == sum(s.taken_in for s in statuses):
                return
            if time.monotonic() > given_up_s:
                raise LiveError(f"messages have been on their way for {_ANSWER_S:.0f} s")
            time.sleep(_PAUSE_S[0])

    def _poll(self) -> list[Status]:
        """Ask all actors for their status; keep their logs before anything else is done."""
        statuses: list[Status] = []
        lost: ActorLostError | None = None
        for actor, reference in enumerate([a.status.remote() for a in self.actors]):
            try:
                status = _STATUS.decode(self._answer(actor, reference))
            except ActorLostError as e:
                lost = lost or e
                continue
            self._keep(actor, status)
            statuses.append(status)
        self.polls += 1
        if self.writer is not None:
            self.writer.flush_now_and_then()
        if lost is not None:
            raise lost
        for name, status in zip(self.names, statuses, strict=True):
            if status.broken:
                raise LiveError(f"{name}: {status.broken}")
        self.handled = sum(s.handled for s in statuses)
        return statuses

    def _answer(self, actor: int, reference: "ray.ObjectRef[_T]") -> _T:
        try:
            answer = ray.get(reference, timeout=_ANSWER_S)
        except RayActorError as e:
            raise ActorLostError(actor) from e
        except GetTimeoutError as e:
            raise LiveError(f"{self.names[actor]} has not answered for {_ANSWER_S:.0f} s") from e
        except RayTaskError as e:
            raise LiveError(f"{self.names[actor]} cannot answer: {e.cause!r}") from e
        return answer

    def _keep(self, actor: int, status: Status) -> None:
        if self.writer is not None and status.log:
            self.writer.append(status.log)
        if self.listener is not None:
            for fact in _FACTS.decode(status.facts):
                self.listener.noted(0, actor, fact)

    def _quiescent(self, statuses: list[Status]) -> bool:
        counters = (sum(s.sent for s in statuses), sum(s.taken_in for s in statuses))
        idle = counters[0] == counters[1] and all(s.idle and not s.failed for s in statuses)
        same = counters == self._before
        self._before = counters if idle else None
        return idle and same
