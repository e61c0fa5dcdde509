"""Check the catalogue: every hazard is found, and no preset breaks what it promises.

Every strategy searches for a hazard in its shipped scenario. A preset runs a small scenario in
every order.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from cluster.explore.choices import Chosen, Strategy
from cluster.explore.found.effort import Effort
from cluster.explore.found.named import along
from cluster.explore.found.shrink import shrink
from cluster.explore.found.witness import VIOLATED, write_witness
from cluster.explore.search import Finding, Watch, explore
from cluster.explore.walk import Walks
from cluster.scenario.scenario import Scenario, load, override
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from cluster.trace.format import SUFFIX
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate
from kernel.policy.presets import PRESETS

#: what each preset runs in every order
SMALL = "one-page"
_TOML = ".toml"
_GRAINS = ("fused", "fine")
#: small, as dozens of scenarios are shrunk one after another
_EFFORT = Effort(drawn=12, deliveries=4_000, states=30_000)
STRATEGIES = (
    Chosen(strategy=Strategy.RANDOM),
    Chosen(strategy=Strategy.PCT, depth=5),
    Chosen(strategy=Strategy.DELAY, delays=2),
    Chosen(strategy=Strategy.DPOR),
    Chosen(strategy=Strategy.DFS),
    Chosen(strategy=Strategy.BFS),
)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How one strategy fared with a hazard."""

    strategy: Strategy
    found: bool
    #: the last grain tried: `fused`, or `fine` after it
    grain: str
    #: orders or states, over both grains, until it was found or the budget was spent
    count: int
    deliveries: int
    property: str = ""
    #: deliveries of the order found
    length: int = 0
    wall_s: float


class HazardCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and how a hazard was found."""

    name: str
    found: bool
    #: fewest orders in which a strategy found it; states, if only searches over states did
    orders: int | None
    #: deliveries of the shortest order found; after shrinking, if it was kept
    trace_length: int | None
    #: without the hazard, that order breaks nothing
    twin_held: bool
    strategies: list[Tried]


class PresetCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a preset broke in every order."""

    name: str
    #: settings of the scenario, besides the preset
    settings: list[str]
    states: int
    depth: int
    complete: bool
    violations: list[str]
    wall_s: float


class Budget(msgspec.Struct, frozen=True):
    """How the caller, who has a clock, stops and times searches."""

    #: makes the watch of one search
    watch: Callable[[str], Watch]
    #: seconds since the last one was made
    elapsed_s: Callable[[], float]


def check_hazards(
    names: Iterable[str], budget: Budget, save: Path | None = None
) -> Iterable[HazardCheck]:
    """Search for hazards one after another; yield each when it is done.

    save: folder for the shrunk trace of each.

    Raises:
        InputError: a trace cannot be written.
    """
    for name in names:
        scenario = load(shipped("scenarios", _TOML)[f"hazard-{name}"])
        as_is = {grain: _with(scenario, grain) for grain in _GRAINS}
        quick = {grain: _with(_unhurried(scenario), grain) for grain in _GRAINS}
        tried: list[Tried] = []
        shortest: tuple[Setup, Finding] | None = None
        for chosen in STRATEGIES:
            setups = quick if chosen.strategy.counts == "states" else as_is
            one, finding = _try(name, setups, chosen, budget)
            tried.append(one)
            if finding and (shortest is None or len(finding.path) < len(shortest[1].path)):
                shortest = setups[one.grain], finding
        length = None if shortest is None else len(shortest[1].path)
        if save is not None and shortest is not None:
            length = _save(*shortest, save / f"{name}{SUFFIX}")
        finders = [t for t in tried if t.found]
        makers = [t for t in finders if t.strategy.counts == "orders"]
        yield HazardCheck(
            name=name,
            found=shortest is not None,
            orders=min((t.count for t in makers or finders), default=None),
            trace_length=length,
            twin_held=shortest is not None and _twin_holds(*shortest),
            strategies=tried,
        )


def _with(scenario: Scenario, grain: str) -> Setup:
    return prepare(override(scenario, [f"machine.grain={grain}"], None), scenario.about)


def _unhurried(scenario: Scenario) -> Scenario:
    """Leave out thinking: time plays no part, and every timer multiplies the states."""
    lines = [line for thread in scenario.thread for line in thread.run]
    if any(line.startswith("await") for line in lines):
        return scenario  # awaits count instructions
    threads = [
        msgspec.structs.replace(t, run=[line for line in t.run if not line.startswith("think")])
        for t in scenario.thread
    ]
    return msgspec.structs.replace(scenario, thread=threads)


def _try(
    name: str, setups: dict[str, Setup], chosen: Chosen, budget: Budget
) -> tuple[Tried, Finding | None]:
    """Try a strategy, at the fused grain first: some orders need the fine one."""
    counts, deliveries, wall_s = 0, 0, 0.0
    for grain, setup in setups.items():
        explored = explore(setup, chosen, budget.watch(f"{name} {chosen.strategy} {grain}"))
        counts += explored.states or explored.orders
        deliveries += explored.deliveries
        wall_s += budget.elapsed_s()
        finding = explored.found[0] if explored.found else None
        if finding is not None:
            break
    tried = Tried(
        strategy=chosen.strategy,
        found=finding is not None,
        grain=grain,
        count=counts,
        deliveries=deliveries,
        property="" if finding is None else finding.property,
        length=0 if finding is None else len(finding.path),
        wall_s=round(wall_s, 3),
    )
    return tried, finding


def _twin_holds(setup: Setup, finding: Finding) -> bool:
    """Say whether the correct variant keeps its promises in that order, as far as it applies."""
    settings = msgspec.structs.replace(setup.settings, hazards=Hazard.NONE)
    correct = Walks(msgspec.structs.replace(setup, settings=settings))
    return not along(correct, finding.path, to_rest=True)[1].promise


def _save(setup: Setup, finding: Finding, path: Path) -> int:
    shrunk = shrink(setup, finding.path, effort=_EFFORT)
    write_witness(path, shrunk.setup, shrunk.path, VIOLATED + shrunk.promise)
    return len(shrunk.path)


def check_presets(budget: Budget) -> Iterable[PresetCheck]:
    """Run the small scenario under every preset in every order, breadth first."""
    small = load(shipped("scenarios", _TOML)[SMALL])
    for name, policy in PRESETS.items():
        settings = ["machine.grain=fused"]
        if policy.invalidate is Invalidate.BROADCAST:
            settings.append("machine.profile=x86-invlpgb")
        if policy.invalidate is Invalidate.DEFERRED_AT_SWITCH:
            # the deadline may pass at any time, the zeroing thread run between any two steps
            settings += ["deadline_ns=0", "zeroing=inline"]
        setup = prepare(override(small, settings, name), SMALL)
        explored = explore(setup, Chosen(strategy=Strategy.BFS), budget.watch(name))
        yield PresetCheck(
            name=name,
            settings=settings,
            states=explored.states,
            depth=explored.longest,
            complete=explored.complete,
            violations=[f"{f.property}: {f.text}" for f in explored.found],
            wall_s=round(budget.elapsed_s(), 3),
        )
