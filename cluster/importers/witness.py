"""Who listens to an import: hears what was recorded, and as which access a fault goes on."""

from typing import Protocol

from cluster.importers.address_space import AddressSpace, Mapping
from cluster.importers.recorded import Event, Touch
from cluster.importers.thread_streams import ThreadStreams


class RecordedMemory(Protocol):
    """What a witness may look at, and add to, of the imported process."""

    @property
    def streams(self) -> ThreadStreams:
        """Give the streams of instructions that are written."""
        ...

    @property
    def space(self) -> AddressSpace:
        """Give the mappings as recorded so far."""
        ...


class Witness(Protocol):
    """Hears the events of the imported process in the order in which they are translated."""

    def event(self, event: Event, memory: RecordedMemory) -> None:
        """`event` is about to be translated; `memory` is as it was before."""
        ...

    def touched(
        self, touch: Touch, mapping: Mapping, place: tuple[int, int], memory: RecordedMemory
    ) -> None:
        """`touch` became the access at `place` (thread, index) of the workload.

        More accesses may be added to the streams of `memory` here (`ThreadStreams.touch_again`).
        """
        ...
