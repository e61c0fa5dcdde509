"""The summary of a run: what it cost and whether it held, as `--json` prints it.

Keys are stable: consumers may rely on them. Everything but `wall_s`, `deliveries_per_s` and
`touches_per_s` is the same whenever the same run is made again inline.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from cluster.properties.violation import Violation
from cluster.results.figures import Metrics
from cluster.results.json_text import json_text
from kernel.policy.keys import AdviceKind
from kernel.policy.presets import PRESETS


class Verdict(StrEnum):
    """What a run was judged to be."""

    HELD = "held"
    VIOLATED = "violated"
    UNCHECKED = "unchecked"
    #: no promise was broken, but threads of the guest wait for what nobody will execute
    WAITS = "waits in vain"


def verdict_of(violations: Sequence[Violation] | None) -> Verdict:
    """Return the verdict on broken promises; None: nobody looked."""
    if violations is None:
        return Verdict.UNCHECKED
    return Verdict.VIOLATED if violations else Verdict.HELD


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    scenario: str
    preset: str
    engine: str
    seed: int
    #: keys in which the policy is not the preset
    policy_changes: dict[str, str]
    #: `[machine]` of the scenario
    machine: dict[str, Any]
    #: think time and mapping of a recorded workload; empty for a script
    workload: dict[str, str]
    #: what a recorded workload takes for granted
    assumptions: list[str]
    verdict: Verdict
    #: broken promises: property, text, page, operations, delivery
    violations: list[dict[str, Any]]
    #: properties that the policy does not promise and that were broken, with how often
    not_promised: dict[str, int]
    #: threads that wait for an instruction of another that nobody will execute
    waits_in_vain: list[str]
    #: nothing in flight and no timer armed at the end
    complete: bool
    #: Ctrl-C or SIGTERM ended it
    interrupted: bool
    deliveries: int
    digest: str
    #: null: a free run has no simulated time
    simulated_ns: int | None
    wall_s: float
    deliveries_per_s: int
    touches_per_s: int
    #: what it cost: every measure of `cluster.results.measures`, by its path
    metrics: Metrics
    #: recorded events that are in no figure, by kind
    left_out: dict[str, int]
    #: recorded events that became something that is not quite the same, by kind
    approximated: dict[str, int]
    #: the host's own figures, as far as it has any (live runs: batches, start-up)
    host: dict[str, Any] = {}
    #: where the run's files are
    directory: str


def advice_of(summary: Summary) -> AdviceKind:
    """Return the advice of a run's policy."""
    changed = summary.policy_changes.get("advice")
    return AdviceKind(changed) if changed else PRESETS[summary.preset].advice


def encode(summary: Summary) -> bytes:
    """Return the JSON of a summary: the bytes of `summary.json` and of `--json`."""
    return json_text(summary) + b"\n"
