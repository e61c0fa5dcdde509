"""Election on a ring, by Chang and Roberts: the smallest identity, which comes round, has won.

A node's place on the ring is its identity. Messages to a node are a set, as in the published
specification.
"""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

#: a node, and the identity that it receives; None: it starts
Step = tuple[int, int | None]


class Node(NamedTuple):
    """A node; those that do not stand for election have lost from the start."""

    initiator: bool
    state: str
    started: bool = False
    inbox: frozenset[int] = frozenset()


class Ring(NamedTuple):
    """The nodes, each of which sends to the next."""

    nodes: tuple[Node, ...]

    def enabled(self) -> list[Step]:
        steps: list[Step] = []
        for which, node in enumerate(self.nodes):
            if node.started:
                steps += [(which, identity) for identity in sorted(node.inbox)]
            else:
                steps.append((which, None))
        return steps

    def deliver(self, choice: Step) -> "Ring":
        which, identity = choice
        nodes = list(self.nodes)
        node = nodes[which]
        passed_on: Iterable[int] = ()
        if identity is None:
            node = node._replace(started=True)
            passed_on = (which,) if node.initiator else ()
        else:
            node = node._replace(inbox=node.inbox - {identity})
            if node.state == "lost" or identity < which:
                node = node._replace(state="lost")
                passed_on = (identity,)
            elif identity == which:
                node = node._replace(state="won")
        nodes[which] = node
        after = (which + 1) % len(nodes)
        nodes[after] = nodes[after]._replace(inbox=nodes[after].inbox.union(passed_on))
        return Ring(tuple(nodes))

    def fingerprint(self) -> tuple[Node, ...]:
        return self.nodes

    def broken(self) -> str:
        if not any(node.state == "won" for node in self.nodes):
            return ""
        first = [node.initiator for node in self.nodes].index(True)
        states = ["won" if which == first else "lost" for which in range(len(self.nodes))]
        agreed = states == [node.state for node in self.nodes]
        return "" if agreed else "the smallest initiator wins, all others have lost"

    def ended(self) -> str:
        states = {node.state for node in self.nodes}
        return "" if "won" in states or states == {"lost"} else "somebody wins"


def rings(nodes: int) -> list[Ring]:
    """Make a ring for every set of initiators, which never changes."""
    return [
        Ring(tuple(Node(stands, "candidate" if stands else "lost") for stands in initiators))
        for initiators in product((False, True), repeat=nodes)
    ]
