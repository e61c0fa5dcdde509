"""What devices store and load, besides what cores do: KEEP, ZERO, ISOLATE of transfers."""

from collections.abc import Hashable, Iterable
from typing import Self

from actors.messages import DmaLoad, DmaStore
from cluster.properties.call_effects import CallEffects
from cluster.properties.clocks import At, Clock
from cluster.properties.contents import Access, Contents, may_be_undone
from cluster.properties.lines import Stored
from cluster.properties.places import SHARED
from cluster.properties.reports import Reports
from cluster.properties.transfers import Transfers
from kernel.units import CELL_SHIFT


class DeviceContents(Contents):
    """Contents of memory that cores and devices share."""

    def __init__(
        self,
        reports: Reports,
        effects: CallEffects,
        *,
        forks: bool,
        zero_pages: Iterable[int] = (),
    ) -> None:
        """Start with empty memory, and no transfer."""
        super().__init__(reports, effects, forks=forks, zero_pages=zero_pages)
        self.transfers = Transfers(reports, self.frames)

    def device_stores(self, m: DmaStore, at: At) -> None:
        """Perform stores of a device: by frame number, for the process whose page was pinned."""
        effects = self.effects
        for granule, pfn, version in m.items:
            page = self.transfers.page(m.op, m.name, pfn, "stored to")
            if page is None:
                continue
            asid, vpn, issued = page.asid, page.vpn, page.at
            shown = effects.places.at(asid, vpn, issued, write=False)
            if shown is None:
                self.origin[pfn, granule] = asid, vpn << CELL_SHIFT | granule
                continue
            number = SHARED if shown.shared else asid
            line, key = effects.lines[number], shown.page(vpn) << CELL_SHIFT | granule
            keeps = self.forks or may_be_undone(line.history.at(shown.page(vpn)), issued)
            self.origin[pfn, granule] = number, key
            stored = Stored(version, issued, at)
            line.put(key, stored, keeps=keeps)
            if effects.forks and number == asid:
                effects.stored(asid, key, stored)

    def device_loads(self, memory: int, m: DmaLoad, stamps: tuple[int, ...], clock: Clock) -> None:
        """Perform loads of a device: they see what the page had that was pinned, and later stores.

        What may have been discarded since is not judged: the device goes on with the old frame.
        """
        effects = self.effects
        for (granule, pfn), value in zip(m.items, stamps, strict=True):
            page = self.transfers.page(m.op, m.name, pfn, "loaded from")
            if page is None:
                continue
            shown = effects.places.at(page.asid, page.vpn, page.at, write=False)
            if shown is None:
                continue
            number = SHARED if shown.shared else page.asid
            line, key = effects.lines[number], shown.page(page.vpn) << CELL_SHIFT | granule
            history = line.history.at(shown.page(page.vpn))
            if not may_be_undone(history, page.at):
                self.judge(
                    Access(
                        m.op, page.asid, page.vpn, shown, line, number, key, (pfn, granule),
                        memory, value, page.at, clock,
                    ),
                    history,
                )  # fmt: skip

    # For exploring.

    def copy(self, reports: Reports) -> Self:
        """Copy the containers."""
        twin = super().copy(reports)
        twin.transfers = self.transfers.copy(reports, twin.frames)
        return twin

    def retained(self) -> Hashable:
        """Give what a later verdict may depend on."""
        return super().retained(), self.transfers.retained()
