"""How a live run ended, and a drill that ends one."""

import msgspec

from cluster.hosts.host import Outcome


class Kill(msgspec.Struct, frozen=True):
    """A fault drill: end an actor's process once so many deliveries are known."""

    actor: str
    after: int


class LiveOutcome(Outcome, kw_only=True):
    """How a live run ended, and what the transport did.

    Times are of the wall clock of this machine, in seconds; `busy_ns` is kernel work charged to
    each actor, by name. Simulated time does not exist: `simulated_ns` is 0.
    """

    startup_s: float
    wall_s: float
    deliveries_per_s: float
    #: batches delivered, and messages in them on average (an actor's own need no call)
    calls: int
    messages_per_call: float
    polls: int
    busy_ns: dict[str, int]
    #: facts by class name; replay the trace for the facts themselves
    facts: dict[str, int]
