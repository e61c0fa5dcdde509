"""Who listens to an import: hears each recorded event, and which access a fault became."""

from typing import Protocol

from cluster.importers.memory.address_space import AddressSpace, Mapping
from cluster.importers.recording.recorded import Event, Touch
from cluster.importers.threads.thread_streams import ThreadStreams


class RecordedMemory(Protocol):
    """What a witness may look at in the imported process, and add to."""

    @property
    def streams(self) -> ThreadStreams:
        """Return the streams of instructions that are being written."""
        ...

    @property
    def process(self) -> int:
        """Return the number of the process among those imported; the main one is 0."""
        ...

    @property
    def space(self) -> AddressSpace:
        """Return the mappings as recorded so far."""
        ...


class Witness(Protocol):
    """Hears the events of the imported process in the order of translation."""

    def event(self, event: Event, memory: RecordedMemory) -> None:
        """Hear that `event` is about to be translated; `memory` is still as it was before."""
        ...

    def forked(self, parent: int, child: int) -> None:
        """Hear that process `child` begins as a copy of `parent` (an exec: empty, both equal)."""

    def touched(
        self, touch: Touch, mapping: Mapping, place: tuple[int, int], memory: RecordedMemory
    ) -> None:
        """Hear that `touch` became the access at `place` (thread, index) of the workload.

        More accesses may be added to the streams of `memory` here (`ThreadStreams.touch_again`).
        """
        ...
