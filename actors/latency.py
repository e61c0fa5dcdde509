"""How long a message takes from one actor to another: by their roles and how far apart they are.

Actors of one role in one domain are at the same place, and share a row: a table has an entry for
every two places, not for every two actors.
"""

from actors.wiring import Wiring
from kernel.costs import Latencies

#: roles that may send to each other -> key of the cost profile
_PAIRS = {
    frozenset({"core", "vm"}): "core_vm_ns",
    frozenset({"core"}): "core_core_ns",
    frozenset({"core", "memory"}): "core_memory_ns",
    frozenset({"vm", "memory"}): "vm_memory_ns",
    frozenset({"memory"}): "memory_memory_ns",
    frozenset({"pagedaemon", "vm"}): "daemon_vm_ns",
    frozenset({"zeroer", "vm"}): "daemon_vm_ns",
    frozenset({"pagedaemon", "core"}): "daemon_core_ns",
    frozenset({"zeroer", "core"}): "daemon_core_ns",
    frozenset({"pagedaemon", "memory"}): "daemon_memory_ns",
    frozenset({"zeroer", "memory"}): "daemon_memory_ns",
    frozenset({"memory", "swap"}): "memory_swap_ns",
    frozenset({"vm", "swap"}): "vm_swap_ns",
    frozenset({"device", "core"}): "device_core_ns",
    frozenset({"device", "vm"}): "device_vm_ns",
    frozenset({"device", "memory"}): "device_memory_ns",
}


class LatencyTable:
    """Latencies in ns; 0 where none may send."""

    __slots__ = ("place_of", "row_of", "self_ns")

    def __init__(self, wiring: Wiring, latencies: Latencies) -> None:
        """Tabulate the places of a wiring."""
        actors = list(zip(wiring.roles, wiring.domains, wiring.sockets, strict=True))
        places = {place: number for number, place in enumerate(dict.fromkeys(actors))}
        rows = [_row(latencies, place, list(places)) for place in places]
        #: by actor
        self.place_of = [places[place] for place in actors]
        #: by sending actor: latency to every place; those at one place share it
        self.row_of = [rows[place] for place in self.place_of]
        #: of a message to oneself
        self.self_ns = latencies.self_ns

    def ns(self, src: int, dst: int) -> int:
        """Return the latency of a message."""
        return self.self_ns if src == dst else self.row_of[src][self.place_of[dst]]


def _row(
    latencies: Latencies, place: tuple[str, int, int], places: list[tuple[str, int, int]]
) -> list[int]:
    """Return the latency from one place, (role, domain, socket), to every place."""
    role, domain, socket = place
    near = {
        other: getattr(latencies, key) if (key := _PAIRS.get(frozenset({role, other}))) else 0
        for other, _, _ in places
    }
    row = []
    for other, its_domain, its_socket in places:
        ns = near[other]
        if ns and its_socket != socket:
            ns += latencies.other_socket_ns
        elif ns and its_domain != domain:
            ns += latencies.other_domain_ns
        row.append(ns)
    return row
