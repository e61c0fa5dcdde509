"""Pages over time: peak and time-weighted mean, of each part (process, memory) and in total."""

import msgspec


class PagesHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Pages over a run; the mean is weighted by simulated time, null if there is none."""

    peak_pages: int = 0
    mean_pages: float | None = None
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

    def held(self) -> PagesHeld:
        mean = round(self.area / self.since, 3) if self.since else None
        return PagesHeld(peak_pages=self.peak, mean_pages=mean, pages=self.pages)


class PageMeter:
    """Follows the pages of all parts from time 0."""

    def __init__(self) -> None:
        """Start with no page."""
        self._total = _Level()
        self._parts: dict[int, _Level] = {}

    @property
    def pages(self) -> int:
        """Return the pages of now."""
        return self._total.pages

    def change(self, when: int, part: int, pages: int) -> None:
        """Note that `part` has `pages` pages from `when` on.

        Every fault comes here, so calls and max(), which take most of its time, are written out.
        """
        one = self._parts.get(part)
        if one is None:
            one = self._parts[part] = _Level()
        total = self._total
        all_pages = total.pages + pages - one.pages
        if when > total.since:
            total.area += total.pages * (when - total.since)
            total.since = when
        if all_pages > total.peak:  # noqa: PLR1730 - as said
            total.peak = all_pages
        total.pages = all_pages
        if when > one.since:
            one.area += one.pages * (when - one.since)
            one.since = when
        if pages > one.peak:  # noqa: PLR1730 - as said
            one.peak = pages
        one.pages = pages

    def advance(self, when: int) -> None:
        """Go on to `when` without a change."""
        self._total.advance(when)
        for one in self._parts.values():
            one.advance(when)

    def total(self) -> PagesHeld:
        """Return peak and mean of all parts together."""
        return self._total.held()

    def by_part(self) -> dict[str, PagesHeld]:
        """Return peak and mean of each part, by its number."""
        return {str(part): self._parts[part].held() for part in sorted(self._parts)}
