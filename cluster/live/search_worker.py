"""A worker of a search as a Ray actor: a process of its own that holds a share."""

from typing import Any

import msgspec

from cluster.explore.choices import Chosen
from cluster.explore.workers.shares import share_of
from cluster.hosts.garbage import collect_seldom
from cluster.live.own_code import OwnCode, own_code, why_other_code
from cluster.scenario.setup import Setup
from cluster.workload.reader import Workload


class Brief(msgspec.Struct, frozen=True):
    """What a worker starts from."""

    #: its guest is not used if that comes as the bytes of a workload
    setup: Setup
    chosen: Chosen
    driver: OwnCode


class ExploreWorker:
    """A worker, which `cluster.live.search_crew` makes an actor; its calls run one by one."""

    def __init__(self, brief: Brief, workload: bytes | None) -> None:
        """Make the share, if this process runs the driver's code."""
        collect_seldom()
        self._wrong = why_other_code(own_code(), brief.driver)
        self._share: object = None
        if not self._wrong:
            setup = brief.setup
            if workload is not None:
                setup = msgspec.structs.replace(setup, guest=Workload.from_bytes(workload))
            self._share = share_of(setup, brief.chosen)

    def wrong(self) -> str:
        """Return what is wrong here; empty if nothing."""
        return self._wrong

    def do(self, task: str, arguments: tuple[object, ...]) -> Any:  # noqa: ANN401 - the task's
        """Call a method of the share."""
        return getattr(self._share, task)(*arguments)
