"""Contents of a physical frame: a version for every granule, sparsely.

`bases` holds, chunk by chunk, what every granule has that is not in `cells`: ZERO, or JUNK for
memory that nobody has zeroed since power-on. Immutable; the tag beside each granule comes with
capabilities.
"""

from collections.abc import Iterable

import msgspec

from kernel.stamp import JUNK, ZERO
from kernel.units import CELL_MASK, CELLS_PER_PAGE


class FrameContents(msgspec.Struct, frozen=True, gc=False):
    """`cells` maps the granule's index in the frame to its version; treated as immutable."""

    bases: tuple[int, ...]
    cells: dict[int, int]

    def read(self, granule: int) -> int:
        """Give the version of one granule."""
        found = self.cells.get(granule)
        if found is not None:
            return found
        return self.bases[granule * len(self.bases) // CELLS_PER_PAGE]

    def written(self, stores: Iterable[tuple[int, int]]) -> "FrameContents":
        """Give the contents after stores of (cell, version); cells may be virtual."""
        cells = self.cells.copy()
        for cell, version in stores:
            cells[cell & CELL_MASK] = version
        return FrameContents(self.bases, cells)

    def with_chunk(
        self, chunk: int, base: int, stored: Iterable[tuple[int, int]]
    ) -> "FrameContents":
        """Give the contents after chunk `chunk` was replaced by `base` and cells on top of it."""
        chunks = len(self.bases)
        bases = (*self.bases[:chunk], base, *self.bases[chunk + 1 :])
        cells = {g: v for g, v in self.cells.items() if g * chunks // CELLS_PER_PAGE != chunk}
        cells.update(stored)
        return FrameContents(bases, cells)

    def zeroed(self, chunk: int) -> "FrameContents":
        """Give the contents after chunk `chunk` was zeroed."""
        chunks = len(self.bases)
        if chunks == 1:
            return FrameContents((ZERO,), {})
        return self.with_chunk(chunk, ZERO, ())


def filled(chunks: int, base: int) -> FrameContents:
    """Give the contents of a frame that holds one version everywhere."""
    return FrameContents((base,) * chunks, {})


def chunk_of(contents: FrameContents, chunk: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Give the base and the cells of one chunk."""
    chunks = len(contents.bases)
    cells = contents.cells.items()
    own = tuple(sorted((g, v) for g, v in cells if g * chunks // CELLS_PER_PAGE == chunk))
    return contents.bases[chunk], own


def junk(chunks: int) -> FrameContents:
    """Give the contents of a frame at power-on."""
    return filled(chunks, JUNK)
