"""A search by several workers, each a Ray actor."""

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import msgspec
import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.guest.script import Script
from cluster.explore.choices import Chosen
from cluster.explore.search import SearchResult, Watch, explore
from cluster.input_error import InputError
from cluster.live.errors import LiveError, WorkerDiedError
from cluster.live.launch import connected
from cluster.live.own_code import own_code
from cluster.live.search_worker import Brief, ExploreWorker
from cluster.runs.interruption import interruptible
from cluster.scenario.setup import Setup

#: an actor takes 0.3 s to start, more on a busy machine; they start a few at a time
_START_S = 180.0
#: a call takes half a second; with many workers, the one that makes the first states takes more
_ANSWER_S = 600.0


class SearchWorkerDiedError(WorkerDiedError):
    """A worker's process is gone, and with it what it had seen."""

    def __init__(self, name: str) -> None:
        super().__init__(name, None, None)
        lost = "and what it had seen with it (it may have run out of memory): begin anew"
        self.args = (f"the process of {name} died, {lost}",)


class RayCrew:
    """Workers in processes of their own, which start when the first of them is asked."""

    def __init__(self, setup: Setup, chosen: Chosen, size: int) -> None:
        """Note what they start from."""
        self.size = size
        self._setup = setup
        self._chosen = chosen
        self._actors: list[Any] = []
        self._asked: dict[ray.ObjectRef[Any], int] = {}
        self._cluster = ExitStack()

    def __enter__(self) -> Self:
        """Return the crew; workers start when the first is asked."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the workers."""
        self._cluster.__exit__(kind, error, traceback)

    def ask(self, worker: int, task: str, *arguments: object) -> None:
        """Have the method `task` of a worker's share called.

        Raises:
            LiveError: a worker could not start, or runs other code.
        """
        if not self._actors:
            self._start()
        self._asked[self._actors[worker].do.remote(task, arguments)] = worker

    def answer(self) -> tuple[int, Any]:
        """Wait for the next answer; return the worker and what its method returned.

        Raises:
            WorkerDiedError: the process is gone.
            LiveError: there is no answer, or none in time.
        """
        ready, _ = ray.wait(list(self._asked), timeout=_ANSWER_S)
        if not ready:
            raise LiveError(f"no worker has answered for {_ANSWER_S:.0f} s")
        worker = self._asked.pop(ready[0])
        try:
            return worker, ray.get(ready[0])
        except RayActorError as e:
            raise SearchWorkerDiedError(_name(worker)) from e
        except RayTaskError as e:
            if isinstance(e.cause, InputError):
                raise e.cause from e
            raise LiveError(f"{_name(worker)} cannot go on: {e.cause!r}") from e

    def _start(self) -> None:
        workload = self._cluster.enter_context(connected(self._setup, None))
        setup, shared = self._setup, None
        if workload is not None:
            setup = msgspec.structs.replace(setup, guest=Script((), ()))
            shared = ray.put(workload)
        brief = Brief(setup, self._chosen, own_code())
        # a worker that died is not restarted: what it had seen is gone
        make = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(ExploreWorker)
        self._actors = [make.remote(brief, shared) for _ in range(self.size)]
        for worker, reference in enumerate([actor.wrong.remote() for actor in self._actors]):
            try:
                wrong = ray.get(reference, timeout=_START_S)
            except (RayActorError, RayTaskError, GetTimeoutError) as e:
                raise LiveError(f"the process of {_name(worker)} did not start: {e}") from e
            if wrong:
                raise LiveError(
                    f"the process of {_name(worker)} runs other code than the driver: {wrong}"
                )


def _name(worker: int) -> str:
    return f"worker {worker}"


def explore_on_workers(
    setup: Setup, chosen: Chosen, workers: int, watch: Watch = lambda _: True
) -> tuple[SearchResult, int]:
    """Search as `explore` does, with so many workers on a cluster of its own.

    Also returns the signal that stopped it, or 0: then the workers end, and what was found is kept.

    Raises:
        WorkerDiedError: a worker's process is gone.
        LiveError: Ray failed, or a worker did.
        InputError: the workload cannot be read.
    """
    with interruptible() as interruption, RayCrew(setup, chosen, workers) as crew:
        explored = explore(
            setup,
            chosen,
            lambda so_far: watch(so_far) and not interruption.number,
            crew=crew,
        )
    return explored, interruption.number
