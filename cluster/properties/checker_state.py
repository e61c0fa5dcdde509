"""What the checker knows of a run: clocks, contents, translations, reports; it can be copied."""

from collections.abc import Hashable, Iterable
from typing import Self

from actors.machine import Machine
from actors.vm.machine import Vm
from cluster.properties import account
from cluster.properties.call_effects import CallEffects
from cluster.properties.clocks import Canonical, Canonicals, Clocks
from cluster.properties.device_contents import DeviceContents
from cluster.properties.reports import Reports
from cluster.properties.translation import Translations
from cluster.properties.violation import Violation
from cluster.scenario.setup import Setup
from kernel.policy.keys import Invalidate
from kernel.policy.promises import promises


class CheckerState:
    """The fields; `cluster/properties/checker.py` routes deliveries to what they concern."""

    def __init__(self, setup: Setup) -> None:
        """Watch a run of `setup`; the host names the machines as they start."""
        settings = setup.settings
        self.setup = setup
        #: those of the run, by actor: they are read, never changed
        self.machines: list[Machine] = []
        self.reports = Reports(promises(settings.policy) | setup.also_promised, setup.lane_name)
        self.clocks = Clocks(len(setup.wiring.names))
        processes = len(settings.vm_of)
        effects = CallEffects(
            settings.process_of, processes, keeps_dontneed=settings.keeps_dontneed
        )
        forks = 1 < processes < len(settings.process_of)
        zero = {settings.zero_page(core) for core in range(settings.cores)} - {-1}
        self.contents = DeviceContents(self.reports, effects, forks=forks, zero_pages=zero)
        self.translations = Translations(self.reports, setup.wiring.names)
        self.watches_background = settings.policy.invalidate is not Invalidate.NONE
        self._vm_deliveries = 0
        self.livelock = account.Livelock()
        #: what contents retain, as long as they stay
        self.retained: Hashable = None
        #: contents and translations as `freeze` gives them, as long as they stay
        self.canonical: Canonical | None = None
        self._canonicals = Canonicals()

    @property
    def violations(self) -> list[Violation]:
        """List the broken promises, in the order found; at most 20 a property."""
        return [v for v in self.reports.found if v.promised]

    @property
    def broken_unpromised(self) -> dict[str, int]:
        """Count what was broken without being promised."""
        promised = self.reports.promised
        return {p: n for p, n in sorted(self.reports.counts.items()) if p not in promised}

    def _vm(self, actor: int) -> Vm:
        machine = self.machines[actor]
        assert isinstance(machine, Vm)
        return machine

    # For exploring.

    def copy(self, machines: list[Machine]) -> Self:
        """Copy the containers, for another continuation of the run with these machines."""
        twin = self.copy_sharing_contents(machines)
        twin.contents = self.contents.copy(twin.reports)
        twin.retained = None
        return twin

    def copy_sharing_contents(self, machines: list[Machine]) -> Self:
        """Copy all but contents, which the next delivery does not concern."""
        twin = self.copy_sharing(machines)
        twin.translations = self.translations.copy(twin.reports)
        twin.canonical = None
        return twin

    def copy_sharing(self, machines: list[Machine]) -> Self:
        """Copy all but contents and translations."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.machines = machines
        twin.reports = self.reports.copy()
        twin.clocks = self.clocks.copy()
        twin.livelock = account.Livelock(self.livelock.deliveries)
        return twin

    def freeze(self, in_flight: Iterable[tuple[int, int, int]]) -> Hashable:
        """Give, canonically, all that a later verdict may depend on.

        in_flight: (src, dst, seq) of all messages in flight, in an order that the caller's own
        state decides.
        """
        known = self.canonical
        if known is None:
            if self.retained is None:
                self.retained = self.contents.retained()
            facts = self.retained, self.translations.retained()
            known = self.canonical = self._canonicals.of(facts)
        clocks = known.renamed(self.clocks.retained(in_flight))
        return known.facts, clocks, tuple(sorted(self.reports.counts))
