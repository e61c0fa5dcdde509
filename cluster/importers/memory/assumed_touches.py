"""Make up the touches that a recording of system calls does not show, by a stated rule."""

from math import ceil

from actors.guest.program import Prot
from cluster.importers.memory.address_space import RELEASABLE, Kind, Mapping
from cluster.importers.options import AssumedTouch, ImportOptions

#: hardly any of a thread's stack is ever touched: so many pages at its upper end
STACK_PAGES = 4

_WRITE = int(Prot.WRITE)

Runs = list[tuple[int, int]]


class AssumedTouches:
    """Choose the pages that the program is taken to have written, as runs `(first, end)`."""

    def __init__(self, options: ImportOptions) -> None:
        self._rule = options.touch
        self._fraction = options.touch_fraction
        self._pages = options.touch_pages

    @property
    def any(self) -> bool:
        """Say whether touches are made up at all."""
        return self._rule is not AssumedTouch.NONE

    def describe(self) -> str:
        """State the rule for the reader of the workload."""
        amount = f"at most {self._fraction:.0%} of its pages and {self._pages} of them"
        match self._rule:
            case AssumedTouch.NONE:
                return "The recording shows no touches and none are assumed: nothing is written."
            case AssumedTouch.RELEASE:
                return (
                    "The recording shows no touches. Assumed: just before a range is released or "
                    f"unmapped, its first pages are written, {amount}; of a stack its last "
                    f"{STACK_PAGES} pages. Releasing a range again means that it was reused."
                )
            case AssumedTouch.FIRST:
                return (
                    "The recording shows no touches. Assumed: as soon as a range becomes writable, "
                    f"its first pages are written, {amount}; of a stack its last {STACK_PAGES}. "
                    "Releasing a range again means that it was reused."
                )

    def before_release(self, mappings: list[tuple[int, int, Mapping]]) -> Runs:
        """Choose pages to write before a range, mapped like this, is released or unmapped."""
        return self._first_pages(mappings) if self._rule is AssumedTouch.RELEASE else []

    def before_second_release(self, mappings: list[tuple[int, int, Mapping]]) -> Runs:
        """Choose pages to write before a released range is released again."""
        return self._first_pages(mappings) if self.any else []

    def after_grant(self, mappings: list[tuple[int, int, Mapping]]) -> Runs:
        """Choose pages to write once a range has become writable."""
        return self._first_pages(mappings) if self._rule is AssumedTouch.FIRST else []

    def _first_pages(self, mappings: list[tuple[int, int, Mapping]]) -> Runs:
        runs: Runs = []
        left = self._pages
        for start, end, mapping in mappings:
            if not mapping.prot & _WRITE or mapping.kind not in RELEASABLE:
                continue
            if mapping.kind is Kind.STACK:
                count = min(left, end - start, STACK_PAGES)
                run = (end - count, end)
            else:
                count = min(left, ceil((end - start) * self._fraction))
                run = (start, start + count)
            if count > 0:
                runs.append(run)
                left -= count
        return runs
