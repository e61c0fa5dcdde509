"""A check of the catalogue as `holezero hazards --check` makes it: each search has its time."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from cluster.commands import exit_codes
from cluster.commands.actions.search_watch import search_progress, until
from cluster.commands.given.budget import budget_of
from cluster.commands.output.hazard_check import print_check
from cluster.explore.catalogue_check import (
    Budget,
    HazardCheck,
    PresetCheck,
    check_hazards,
    check_presets,
)
from cluster.explore.search import Watch
from cluster.input_error import InputError
from cluster.results.json_text import json_text


def check_catalogue(
    names: Sequence[str],
    budget: str,
    save: Path | None,
    *,
    presets: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Look for hazards, and try the presets; print what came out and return the exit code.

    Raises:
        InputError: the budget is no time.
    """
    count, seconds = budget_of(budget)
    if count is not None:
        raise InputError(
            f"--budget {budget}: give a time, such as 5s: strategies count differently"
        )
    hazards, tried = _check(names, seconds, save, quiet=quiet, presets=presets)
    if as_json:
        click.echo(json_text({"hazards": hazards, "presets": tried}))
    else:
        print_check(hazards, tried)
    return _code(hazards, tried)


class _Clock:
    """Makes watches that stop after a time, and shows them."""

    def __init__(self, seconds: float, *, quiet: bool) -> None:
        self._seconds = seconds
        self._quiet = quiet
        self._shown = ExitStack()
        self._started_s = 0.0

    def watch(self, name: str) -> Watch:
        self._shown.close()
        self._started_s = time.monotonic()
        show = self._shown.enter_context(search_progress(name, quiet=self._quiet))
        return until(self._started_s, self._seconds, show)

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def close(self) -> None:
        self._shown.close()

    def budget(self) -> Budget:
        return Budget(self.watch, self.elapsed_s)


def _check(
    names: Sequence[str], seconds: float, save: Path | None, *, quiet: bool, presets: bool
) -> tuple[list[HazardCheck], list[PresetCheck]]:
    clock, longer = _Clock(seconds, quiet=quiet), _Clock(6 * seconds, quiet=quiet)
    try:
        hazards = list(check_hazards(names, clock.budget(), save))
        clock.close()
        return hazards, list(check_presets(longer.budget())) if presets else []
    finally:
        clock.close()
        longer.close()


def _code(hazards: Sequence[HazardCheck], presets: Sequence[PresetCheck]) -> int:
    if not all(h.found and h.twin_held for h in hazards) or any(p.violations for p in presets):
        return exit_codes.VIOLATED
    return 0 if all(p.complete for p in presets) else exit_codes.UNDECIDED
