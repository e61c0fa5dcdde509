"""Contents of a physical frame: a version for every granule, held sparsely.

`bases` holds for each chunk the version of all its granules that are not in `cells`: ZERO, or JUNK
for memory that nobody has zeroed since power-on. Immutable. Granules have no capability tags yet.
"""

from collections.abc import Iterable

import msgspec

from kernel.stamp import JUNK, ZERO
from kernel.units import CELL_MASK, CELLS_PER_PAGE


class FrameContents(msgspec.Struct, frozen=True, gc=False):
    """`cells` maps a granule's index in the frame to its version; never mutated."""

    bases: tuple[int, ...]
    cells: dict[int, int]

    def read(self, granule: int) -> int:
        """Return the version of one granule."""
        found = self.cells.get(granule)
        if found is not None:
            return found
        return self.bases[granule * len(self.bases) // CELLS_PER_PAGE]

    def written(self, stores: Iterable[tuple[int, int]]) -> "FrameContents":
        """Return the contents after stores of (cell, version); cells may be virtual."""
        cells = self.cells.copy()
        for cell, version in stores:
            cells[cell & CELL_MASK] = version
        return FrameContents(self.bases, cells)

    def with_chunk(
        self, chunk: int, base: int, stored: Iterable[tuple[int, int]]
    ) -> "FrameContents":
        """Return the contents with chunk `chunk` replaced: `stored` on top of `base`."""
        chunks = len(self.bases)
        bases = (*self.bases[:chunk], base, *self.bases[chunk + 1 :])
        cells = {g: v for g, v in self.cells.items() if g * chunks // CELLS_PER_PAGE != chunk}
        cells.update(stored)
        return FrameContents(bases, cells)

    def zeroed(self, chunk: int) -> "FrameContents":
        """Return the contents after chunk `chunk` was zeroed."""
        chunks = len(self.bases)
        if chunks == 1:
            return FrameContents((ZERO,), {})
        return self.with_chunk(chunk, ZERO, ())


def filled(chunks: int, base: int) -> FrameContents:
    """Return the contents of a frame that holds the version `base` everywhere."""
    return FrameContents((base,) * chunks, {})


def chunk_of(contents: FrameContents, chunk: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Return the base of one chunk and its cells, sorted."""
    chunks = len(contents.bases)
    cells = contents.cells.items()
    own = tuple(sorted((g, v) for g, v in cells if g * chunks // CELLS_PER_PAGE == chunk))
    return contents.bases[chunk], own


def junk(chunks: int) -> FrameContents:
    """Return the contents of a frame at power-on."""
    return filled(chunks, JUNK)
