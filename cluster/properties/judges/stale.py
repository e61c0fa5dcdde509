"""The report of an entry that a core may still use when it should not."""

from cluster.properties.known.known import Known
from cluster.properties.known.translations import Holder
from kernel.policy.promises import Property


def stale_entry(known: Known, lane: int, holder: Holder) -> None:
    """Report that a core may use an entry whose shootdown, by a lane, is complete."""
    text = (
        f"the shootdown of page {holder.vpn:#x} is complete, but {known.given.names[holder.core]} "
        "may still use its old entry"
    )
    known.reports.add(Property.TRANSLATION, text, holder.asid, holder.vpn, (lane,))
