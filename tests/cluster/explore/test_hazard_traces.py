"""One small trace for each hazard: what shows it, told alongside the correct variant.

pytest's plugin replays the files themselves. `holezero hazards --check --save tests/traces/shrunk`
makes them anew.
"""

from functools import cache

import pytest

from cluster.explore.found.named import Recorded, read_order
from cluster.explore.found.story import Story, tell
from kernel.hazards.catalogue import BY_NAME
from tests.cluster.explore.test_hazards import breaks
from tests.support.places import TESTS

FOLDER = TESTS / "traces" / "shrunk"
NAMES = sorted(path.stem for path in FOLDER.glob("*.trace"))
#: bytes; those that need memory to be short take more deliveries
SMALL = 20_000


@cache
def recorded(name: str) -> Recorded:
    return read_order(FOLDER / f"{name}.trace")


@cache
def story(name: str) -> Story:
    return tell(recorded(name).setup, recorded(name).path)


def test_there_is_one_for_every_hazard() -> None:
    missing = " ".join(sorted(set(BY_NAME) - set(NAMES)))
    command = f"holezero hazards --check {missing} --save tests/traces/shrunk"
    assert set(NAMES) == set(BY_NAME), command


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_shows_its_hazard(name: str) -> None:
    assert (FOLDER / f"{name}.trace").stat().st_size < SMALL
    told = story(name)
    assert told.hazards == (name,)
    assert told.promise in {*breaks(name), "protocol"}
    assert told.departure is not None, "the correct variant does the same"


def test_no_two_have_the_same_story() -> None:
    stories: dict[object, str] = {}
    for name in NAMES:
        told = story(name)
        steps = tuple((s.receiver, s.sender, s.message.split(maxsplit=1)[0]) for s in told.steps)
        assert stories.setdefault((steps, told.promise), name) == name


def test_many_need_several_machines() -> None:
    """The story has those machines that take a message in the shortest order known."""
    assert sum(len(story(name).machines) >= 4 for name in NAMES) >= 10
