"""Compare the machines with the sequential reference: random guests under every preset.

    nice python -m tests.reference.compare --guests 20000 --seed 1 --workers 2
    python -m tests.reference.compare --guests 500 --preset fatal-hole --keep FOLDER

Each kind of difference is printed with how often it was seen and the smallest guest that shows it;
`--keep` writes that as a scenario, with what is right beside it. A guest with nothing but a broken
promise (the values are right) is counted apart. Ends with 1 if there is anything.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.reference.guests import Guest, drawn
from tests.reference.rules import RULES
from tests.reference.runs import difference
from tests.reference.smallest import kind, scenario, smallest

_BATCH = 50


class Found(NamedTuple):
    """A guest under a preset, and what is not right."""

    name: str
    preset: str
    text: str


def judged(guest: Guest, preset: str) -> str:
    """Say what is not right of a guest: values, signals and errors, or else a verdict."""
    different, broken = difference(guest, preset)
    return different or (f"only a promise is broken: {broken}" if broken else "")


def compared(seed: int, presets: tuple[str, ...], numbers: range) -> list[Found]:
    """Return what is not right of some guests."""
    found = []
    for number in numbers:
        guest = drawn(f"{seed}/{number}")
        for preset in presets:
            text = judged(guest, preset)
            if text:
                found.append(Found(guest.name, preset, text))
    return found


def _all(options: argparse.Namespace, presets: tuple[str, ...]) -> Iterator[Found]:
    batches = [
        range(at, min(at + _BATCH, options.guests)) for at in range(0, options.guests, _BATCH)
    ]
    with ProcessPoolExecutor(options.workers) as pool:
        for found in pool.map(partial(compared, options.seed, presets), batches):
            yield from found


def main() -> int:
    """Compare as the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare with the sequential reference.")
    parser.add_argument("--guests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--preset", action="append", choices=[*RULES], default=None)
    parser.add_argument("--keep", type=Path, help="a folder for the smallest guests")
    options = parser.parse_args()
    presets = tuple(options.preset or RULES)
    kinds, first = Counter[str](), dict[str, Found]()
    for one in _all(options, presets):
        kinds[kind(one.text)] += 1
        first.setdefault(kind(one.text), one)
    print(f"{options.guests:,} guests, {len(presets)} presets: {kinds.total():,} not right")
    for number, (what, count) in enumerate(kinds.most_common()):
        one = first[what]
        guest = smallest(drawn(one.name), partial(judged, preset=one.preset))
        text = judged(guest, one.preset)
        print(f"\n{count:,} times, first guest {one.name} under {one.preset}: {text}")
        print(*(f"  {thread}: {line}" for thread, line in guest.order), sep="\n")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            path = options.keep / f"{number:02}-{one.preset}.toml"
            path.write_text(scenario(guest, one.preset, f"guest {one.name}, made smaller"))
            path.with_suffix(".expect.txt").write_text(text + "\n")
    return int(bool(kinds))


if __name__ == "__main__":
    sys.exit(main())
