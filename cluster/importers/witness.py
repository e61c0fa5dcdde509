"""Who listens to an import: hears what was recorded, and as which access a fault goes on."""

from typing import TYPE_CHECKING, Protocol

from cluster.importers.address_space import Mapping
from cluster.importers.recorded import Event, Touch

if TYPE_CHECKING:
    from cluster.importers.process_memory import ProcessMemory


class Witness(Protocol):
    """Hears the events of the imported process in the order in which they are translated."""

    def event(self, event: Event, memory: "ProcessMemory") -> None:
        """`event` is about to be translated; `memory` is as it was before."""
        ...

    def touched(
        self, touch: Touch, mapping: Mapping, place: tuple[int, int], memory: "ProcessMemory"
    ) -> None:
        """`touch` became the access at `place` (thread, index) of the workload.

        More accesses may be added to the streams of `memory` here (`ThreadStreams.touch_again`).
        """
        ...
