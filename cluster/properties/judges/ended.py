"""ENDED: exit_group(2) and execve(2) end every thread of the process but the one that goes on."""

from cluster.properties.clock import Clock
from cluster.properties.known.known import Known
from kernel.policy.promises import Property


def acts(known: Known, asid: int, thread: int, issued: Clock, what: str) -> None:
    """Judge what a thread does, at an event that knows what its clock knows."""
    if asid not in known.rights.ended:
        return
    at, go_on = known.rights.ended[asid]
    if thread not in go_on and issued.knows(at):
        text = f"{known.given.lane_name(thread)} of p{asid} {what} after its process had ended"
        known.reports.add(Property.ENDED, text, asid, -1, (thread,))
