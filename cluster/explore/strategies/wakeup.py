"""Wakeup trees: what is scheduled at a point of an order, and its form on disk."""

from cluster.explore.strategy_api import Footprint

#: reads, writes, adds, posts, as hexadecimal text: they may have any number of bits
SavedFootprint = tuple[str, str, str, str]


class Branch:
    """A scheduled event, and what is scheduled after it (nothing: anything may come)."""

    __slots__ = ("event", "footprint", "then")

    def __init__(self, event: int, footprint: Footprint) -> None:
        self.event = event
        self.footprint = footprint
        self.then: list[Branch] = []


def saved_footprint(footprint: Footprint) -> SavedFootprint:
    """Return a footprint as text."""
    reads, writes, adds, posts = (format(part, "x") for part in footprint)
    return reads, writes, adds, posts


def read_footprint(saved: SavedFootprint) -> Footprint:
    """Read a footprint from text."""
    return Footprint(*(int(part, 16) for part in saved))


def flat(branches: list[Branch]) -> list[tuple[int, int, SavedFootprint]]:
    """Return a tree in preorder, without recursion: it may be deeper than Python's stack."""
    found = []
    left = [(0, branch) for branch in reversed(branches)]
    while left:
        depth, branch = left.pop()
        found.append((depth, branch.event, saved_footprint(branch.footprint)))
        left += [(depth + 1, one) for one in reversed(branch.then)]
    return found


def tree(flat: list[tuple[int, int, SavedFootprint]]) -> list[Branch]:
    """Rebuild a tree from its preorder."""
    levels: list[list[Branch]] = [[]]
    for depth, event, footprint in flat:
        branch = Branch(event, read_footprint(footprint))
        del levels[depth + 1 :]
        levels[depth].append(branch)
        levels.append(branch.then)
    return levels[0]
