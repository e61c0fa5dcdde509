"""Who listens to an import: hears what was recorded, and as which access a fault goes on."""

from typing import Protocol

from cluster.importers.memory.address_space import AddressSpace, Mapping
from cluster.importers.recording.recorded import Event, Touch
from cluster.importers.threads.thread_streams import ThreadStreams


class RecordedMemory(Protocol):
    """What a witness may look at, and add to, of the imported process."""

    @property
    def streams(self) -> ThreadStreams:
        """Give the streams of instructions that are written."""
        ...

    @property
    def process(self) -> int:
        """Give the number of the process among those that are imported; the main one's is 0."""
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

    def forked(self, parent: int, child: int) -> None:
        """Process `child` begins with what `parent` has (its number if it has nothing: an exec)."""

    def touched(
        self, touch: Touch, mapping: Mapping, place: tuple[int, int], memory: RecordedMemory
    ) -> None:
        """`touch` became the access at `place` (thread, index) of the workload.

        More accesses may be added to the streams of `memory` here (`ThreadStreams.touch_again`).
        """
        ...
