"""Compare the machines with a reference: random guests under every preset.

    nice python -m tests.reference.compare --guests 20000 --seed 1 --workers 2
    nice python -m tests.reference.compare apart --orders random --guests 5000
    nice python -m tests.reference.compare racing --orders random --guests 5000 --preset fatal-hole
    python -m tests.reference.compare --guests 500 --keep FOLDER

    sequential   instructions come one after another: exact values (the default)
    apart        threads run at once, what conflicts is ordered by `await`: exact values
    racing       threads race: what some order of the steps of a simple machine explains

Messages are delivered in simulated time, or in a random order (`--orders random`; a third of the
speed). Each kind of difference is printed with how often it was seen and the smallest guest that
shows it; `--keep` writes that as a scenario. A guest with nothing but a broken promise (its values
are right) is of a kind of its own. Ends with 1 if there is anything.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.reference import apart, guests, racing
from tests.reference.accepted import Undecided
from tests.reference.guests import Guest
from tests.reference.rules import RULES
from tests.reference.runs import difference, race
from tests.reference.smallest import kind, scenario, smallest

_BATCH = 50
_UNDECIDED = "too many states to say"


class Way(NamedTuple):
    """What is drawn, and how it is compared."""

    drawn: Callable[[str], Guest]
    compared: Callable[[Guest, str, str], tuple[str, str]]


WAYS = {
    "sequential": Way(guests.drawn, difference),
    "apart": Way(apart.drawn, difference),
    "racing": Way(racing.drawn, race),
}


class Found(NamedTuple):
    """A guest under a preset, and what is not right."""

    name: str
    preset: str
    text: str


def judged(guest: Guest, way: str, preset: str, order: str) -> str:
    """Say what is not right of a guest: values, signals and errors, or else a verdict."""
    try:
        different, broken = WAYS[way].compared(guest, preset, order)
    except Undecided:
        return _UNDECIDED
    return different or (f"only a promise is broken: {broken}" if broken else "")


def compared(
    way: str, seed: int, presets: tuple[str, ...], numbers: range, *, tumbled: bool
) -> list[Found]:
    """Return what is not right of some guests."""
    found = []
    for number in numbers:
        guest = WAYS[way].drawn(f"{seed}/{number}")
        for preset in presets:
            text = judged(guest, way, preset, guest.name if tumbled else "")
            if text:
                found.append(Found(guest.name, preset, text))
    return found


def _all(options: argparse.Namespace, presets: tuple[str, ...]) -> Iterator[Found]:
    batches = [
        range(at, min(at + _BATCH, options.guests)) for at in range(0, options.guests, _BATCH)
    ]
    tumbled = options.orders == "random"
    one = partial(compared, options.way, options.seed, presets, tumbled=tumbled)
    with ProcessPoolExecutor(options.workers) as pool:
        for found in pool.map(one, batches):
            yield from found


def _shown(one: Found, options: argparse.Namespace, number: int) -> None:
    """Print the smallest guest of a kind; one in a random order is shown as it was drawn."""
    guest = WAYS[options.way].drawn(one.name)
    if options.orders == "timed" and not guest.after:
        guest = smallest(guest, partial(judged, way=options.way, preset=one.preset, order=""))
    for thread, lines in enumerate(guest.programs()[0]):
        print(f"  {thread}: {'; '.join(lines)}")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{number:02}-{one.preset}.toml"
        path.write_text(scenario(guest, one.preset, f"guest {one.name}"))
        path.with_suffix(".expect.txt").write_text(one.text + "\n")


def main() -> int:
    """Compare as the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the machines with a reference.")
    parser.add_argument("way", nargs="?", choices=[*WAYS], default="sequential")
    parser.add_argument("--guests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--orders", choices=["timed", "random"], default="timed")
    parser.add_argument("--preset", action="append", choices=[*RULES], default=None)
    parser.add_argument("--keep", type=Path, help="a folder for guests that differ")
    options = parser.parse_args()
    presets = tuple(options.preset or RULES)
    kinds, first = Counter[str](), dict[str, Found]()
    for one in _all(options, presets):
        kinds[kind(one.text)] += 1
        first.setdefault(kind(one.text), one)
    print(f"{options.guests:,} guests, {len(presets)} presets: {kinds.total():,} not right")
    for number, (what, count) in enumerate(kinds.most_common()):
        one = first[what]
        print(f"\n{count:,} times, first guest {one.name} under {one.preset}: {one.text}")
        _shown(one, options, number)
    return int(bool(kinds))


if __name__ == "__main__":
    sys.exit(main())
