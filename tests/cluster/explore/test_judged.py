"""The issue's own orders of steps, judged on one page: proved in every order, or refuted by one.

A proof is about a small machine: two cores, one page, a store besides the calls. A refutation holds
for every machine.
"""

from pathlib import Path

import msgspec
import pytest

from cluster.explore.choices import Chosen, Strategy
from cluster.explore.found.named import read_order
from cluster.explore.found.shrink import shrink
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.explore.search import Verdict, explore
from cluster.scenario.scenario import load, override
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from kernel.policy.promises import Property

#: without a deadline, which may come at any time, and with zeroing in the caller: else too many
CLOSED = ("deadline_ns=0", "zeroing=inline")
#: what is proposed, preset, settings, promise, whether it holds
JUDGED = [
    # step 4 of the opening comment: zero the page, then permit accesses again
    ("zero, then repermit", "deferred-tlb", CLOSED, "zero-weak", True),
    ("zero, then repermit", "deferred-tlb", CLOSED, "zero-strong", False),
    # the other order: nobody can store to it any more when it is zeroed
    ("flush, then zero", "deferred-tlb-strict", CLOSED, "zero-strong", True),
    # step 2: other cores invalidate when they switch context
    ("defer at switch", "deferred-tlb", CLOSED, "translation", True),
    ("defer at switch", "deferred-tlb", CLOSED, "fatal", True),
    # step 3: a page that is being zeroed is taken from the zeroing thread
    ("steal", "fatal-hole", (), "zero-strong", True),
    ("steal", "fatal-hole", (), "keep", True),
    # a flag on the page, entries left alone
    ("only a flag", "flag-only", (), "zero-weak", True),
    ("only a flag", "flag-only", (), "zero-strong", False),
    ("only a flag", "flag-only", (), "fatal", False),
    # what allocators do now: the next touch faults
    ("MADV_DONTNEED on Linux", "dontneed-linux", (), "zero-weak", True),
]  # fmt: skip


def judged(preset: str, settings: tuple[str, ...], promise: str) -> Setup:
    one_page = load(shipped("scenarios", ".toml")["one-page"])
    setup = prepare(override(one_page, ["machine.grain=fused", *settings], preset), "one-page")
    return msgspec.structs.replace(setup, also_promised=frozenset({Property(promise)}))


@pytest.mark.parametrize(
    ("preset", "settings", "promise", "holds"),
    [row[1:] for row in JUDGED],
    ids=[f"{row[0]}-{row[3]}" for row in JUDGED],
)
def test_it_is_proved_or_refuted(
    preset: str, settings: tuple[str, ...], promise: str, holds: bool, tmp_path: Path
) -> None:
    setup = judged(preset, settings, promise)
    explored = explore(setup, Chosen(strategy=Strategy.BFS))
    if holds:
        assert explored.verdict is Verdict.HELD
        return
    (finding,) = explored.found
    assert finding.property == promise
    write_witness(tmp_path / "found.trace", setup, finding.path, VIOLATED + promise)
    recorded = read_order(tmp_path / "found.trace")
    assert shrink(recorded.setup, recorded.path).promise == promise
