"""Where properties report; knows what is promised, and where the run is."""

from cluster.properties.violation import Violation
from kernel.promises import Property

#: further findings of a property are counted, not kept
_KEPT_PER_PROPERTY = 20


class Reports:
    """Findings so far; `delivery` and `actor` say where the run is."""

    def __init__(self, promised: frozenset[Property]) -> None:
        """Start with no finding."""
        self.promised = promised
        self.delivery = 0
        self.actor = -1
        self.found: list[Violation] = []
        #: property -> how often it was broken
        self.counts: dict[str, int] = {}

    def add(self, broken: Property, text: str, asid: int, vpn: int, ops: tuple[int, ...]) -> None:
        """Report that a property does not hold."""
        count = self.counts.get(broken, 0) + 1
        self.counts[broken] = count
        if count > _KEPT_PER_PROPERTY:
            return
        self.found.append(
            Violation(
                property=broken.value,
                promised=broken in self.promised,
                text=text,
                asid=asid,
                vpn=vpn,
                ops=ops,
                delivery=self.delivery,
                actor=self.actor,
            )
        )

    def copy(self) -> "Reports":
        """Copy the containers."""
        twin = Reports(self.promised)
        twin.delivery, twin.actor = self.delivery, self.actor
        twin.found = self.found.copy()
        twin.counts = self.counts.copy()
        return twin
