"""The resident set over time: peak and time-weighted mean, by process and in total."""

import msgspec


class ResidentSet(msgspec.Struct, frozen=True, kw_only=True):
    """Resident pages over a run; the mean is weighted by simulated time, 0 if there is none."""

    peak_pages: int = 0
    mean_pages: float = 0.0
    #: at the end
    pages: int = 0


class _Level:
    """One level that changes at times: its peak, and its integral in page-nanoseconds."""

    __slots__ = ("area", "pages", "peak", "since")

    def __init__(self) -> None:
        self.pages = 0
        self.peak = 0
        self.area = 0
        self.since = 0

    def advance(self, when: int) -> None:
        # Facts of different actors may be a step out of order in time: time never goes back.
        if when > self.since:
            self.area += self.pages * (when - self.since)
            self.since = when

    def set(self, when: int, pages: int) -> None:
        self.advance(when)
        self.pages = pages
        if pages > self.peak:  # noqa: PLR1730 - max() takes ten times as long
            self.peak = pages

    def resident_set(self) -> ResidentSet:
        mean = round(self.area / self.since, 3) if self.since else 0.0
        return ResidentSet(peak_pages=self.peak, mean_pages=mean, pages=self.pages)


class ResidentMeter:
    """Follows the resident sets of all processes from time 0."""

    def __init__(self) -> None:
        """Start with nothing resident."""
        self._total = _Level()
        self._processes: dict[int, _Level] = {}

    @property
    def pages(self) -> int:
        """Give the pages that are resident now."""
        return self._total.pages

    def change(self, when: int, asid: int, pages: int) -> None:
        """Note that `asid` has `pages` resident pages from `when` on."""
        process = self._processes.get(asid)
        if process is None:
            process = self._processes[asid] = _Level()
        total = self._total
        total.set(when, total.pages + pages - process.pages)
        process.set(when, pages)

    def advance(self, when: int) -> None:
        """Go on to `when` without a change."""
        self._total.advance(when)
        for process in self._processes.values():
            process.advance(when)

    def total(self) -> ResidentSet:
        """Give peak and mean of all processes together."""
        return self._total.resident_set()

    def by_process(self) -> dict[str, ResidentSet]:
        """Give peak and mean of each process, by its number."""
        return {str(asid): self._processes[asid].resident_set() for asid in sorted(self._processes)}
