"""A set of page numbers that takes 64 bytes for each 2 MiB with a member."""

_SHIFT = 9
_MASK = (1 << _SHIFT) - 1


class PageSet:
    """Distinct pages."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._bits.values())

    def add(self, page: int) -> None:
        """Add one page."""
        chunk = page >> _SHIFT
        self._bits[chunk] = self._bits.get(chunk, 0) | 1 << (page & _MASK)

    def add_range(self, start: int, end: int) -> None:
        """Add the pages `[start, end)`, 512 at a time."""
        at = start
        while at < end:
            stop = min(end, (at | _MASK) + 1)
            chunk = at >> _SHIFT
            run = ((1 << (stop - at)) - 1) << (at & _MASK)
            self._bits[chunk] = self._bits.get(chunk, 0) | run
            at = stop
