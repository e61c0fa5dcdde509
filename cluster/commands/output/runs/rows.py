"""The lines of a table of runs: label and one text for each run, section by section.

Lines of measures are made from their declarations. What else there is of a run (its verdict, the
time that it took here, what a recording left out) is written out here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from actors.call_names import call_name
from actors.operation import OpKind
from cluster.commands.output.runs.measured import Line, duration, measured
from cluster.results.measure import Section
from cluster.results.summary import Summary, advice_of

#: title (may be empty) and lines
Lines = tuple[str, list[Line]]


def _each(summaries: Sequence[Summary], text: Callable[[Summary], str]) -> list[str]:
    return [text(one) for one in summaries]


def _counts(
    summaries: Sequence[Summary], counts: Callable[[Summary], Mapping[str, int]]
) -> Iterator[Line]:
    """Make a line for each key that counts something in at least one run."""
    found = [counts(one) for one in summaries]
    keys = dict.fromkeys(key for one in found for key in one)
    for key in keys:
        if any(one.get(key) for one in found):
            yield key.replace("_", " "), [f"{one.get(key, 0):,}" for one in found]


def _end(one: Summary) -> str:
    if one.interrupted:
        return "interrupted"
    return "yes" if one.complete else "no"


def _run(runs: Sequence[Summary]) -> Lines:
    lines: list[Line] = []
    if any(one.policy_changes for one in runs):
        changes = [[f"{k}={v}" for k, v in one.policy_changes.items()] for one in runs]
        for i in range(max(map(len, changes))):
            label = "" if i else "policy changed"
            lines.append((label, [c[i] if i < len(c) else "" for c in changes]))
    lines += [
        ("verdict", _each(runs, lambda s: s.verdict)),
        ("broken promises", _each(runs, lambda s: str(len(s.violations)))),
    ]
    lines += [
        (f"not promised: {label}", texts)
        for label, texts in _counts(runs, lambda s: s.not_promised)
    ]
    lines += [
        ("ran to its end", _each(runs, _end)),
        (
            "simulated time",
            _each(runs, lambda s: "-" if s.simulated_ns is None else duration(s.simulated_ns)),
        ),
    ]
    return "", lines + _measured(Section.RUN, runs)


def _measured(section: Section, runs: Sequence[Summary]) -> list[Line]:
    return measured(section, [one.metrics for one in runs], _call_names(runs))


def _call_names(runs: Sequence[Summary]) -> dict[str, str]:
    """Return what each call is called: by all names that it has in the runs that made it."""
    kinds = {kind.name.lower(): kind for kind in OpKind}
    names: dict[str, dict[str, None]] = {}
    for run in runs:
        for made in run.metrics.get("operations", {}):
            name = call_name(kinds[made], advice_of(run))
            names.setdefault(made, {})[name] = None
    return {made: " / ".join(found) for made, found in names.items()}


def _simulator(runs: Sequence[Summary]) -> Lines:
    """Tell what the simulation itself took; none of it is a result."""
    return "the simulator", [
        ("deliveries", _each(runs, lambda s: f"{s.deliveries:,}")),
        ("wall time", _each(runs, lambda s: duration(round(s.wall_s * 1e9)))),
        ("deliveries/s", _each(runs, lambda s: f"{s.deliveries_per_s:,}")),
        ("touches/s", _each(runs, lambda s: f"{s.touches_per_s:,}")),
    ]


def _transport(runs: Sequence[Summary]) -> Lines:
    """Tell what Ray did; inline runs have no transport."""
    if not any(one.host for one in runs):
        return "", []
    hosts = [one.host for one in runs]
    return "Ray", [
        ("start-up", [f"{host['startup_s']:.1f} s" for host in hosts]),
        ("calls", [f"{host['calls']:,}" for host in hosts]),
        ("messages a call", [f"{host['messages_per_call']:.1f}" for host in hosts]),
    ]


def _left_out(runs: Sequence[Summary]) -> Lines:
    return "recorded events that are in no figure", list(_counts(runs, lambda s: s.left_out))


def _approximated(runs: Sequence[Summary]) -> Lines:
    lines = list(_counts(runs, lambda s: s.approximated))
    return "recorded events that became something not quite the same", lines


def sections(runs: Sequence[Summary]) -> list[Lines]:
    """Return all sections that have lines, for one run or for several side by side."""
    costs = (Section.CALLS, Section.FAULTS, Section.SHOOTDOWNS, Section.MEMORY)
    all_sections = [
        _run(runs),
        *((section.value, _measured(section, runs)) for section in costs),
        _simulator(runs),
        _transport(runs),
        (Section.SOMETIMES.value, _measured(Section.SOMETIMES, runs)),
        _left_out(runs),
        _approximated(runs),
    ]
    return [one for one in all_sections if one[1]]
