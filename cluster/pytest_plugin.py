"""pytest's plugin: every `.trace` file is a test, and the fixture `holezero_replay` replays one.

The test of a trace passes if its replay is the run that was recorded, and if the run is judged as
it was then: `violated: PROPERTY` breaks that promise, `violated` breaks any, `held` none. Other
words judge no promise (`failed` is compared by the replay itself), and a live trace has none.

pytest loads this file in every environment that has holezero: what it takes to replay is imported
only when a trace is met.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import pytest

if TYPE_CHECKING:
    from cluster.hosts.host import Observer
    from cluster.properties.checker import Checker
    from cluster.replay.replaying import ReplayResult
    from cluster.trace.reader import TraceReader

#: `cluster.trace.format.SUFFIX`, and the folder of `cluster.runs.run_directory`
_SUFFIX, _RUNS = ".trace", "runs"
_INI = "holezero_traces"
#: verdicts of a run that broke no promise
_HELD = ("held", "kept")
#: packages of this distribution
_PACKAGES = ("kernel", "actors", "cluster", "dashboards")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the switch, and keep pytest away from the machines' asserts."""
    parser.addini(_INI, "collect .trace files as tests (holezero)", type="bool", default=True)
    _leave_asserts_alone(pluginmanager)


def _leave_asserts_alone(manager: pytest.PytestPluginManager) -> None:
    """Undo that pytest rewrites the asserts of all packages that come with a plugin.

    What a machine raises is part of a trace. A rewritten assert raises another text, so that the
    trace of a machine that failed would differ from its replay.
    """
    # pytest offers nothing to undo it with; without asserts to rewrite the hook has no such set
    marked = getattr(manager.rewrite_hook, "_must_rewrite", None)
    if isinstance(marked, set):
        marked.difference_update(_PACKAGES)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a trace, unless the project wants none or it is only kept by a run."""
    if file_path.suffix != _SUFFIX or not parent.config.getini(_INI):
        return None
    if _kept_by_a_run(file_path, parent.session):
        return None
    return TraceFile.from_parent(parent, path=file_path)


def _kept_by_a_run(path: Path, session: pytest.Session) -> bool:
    """Say whether it lies under `runs/`, where every run is kept, and nobody asked for it there."""
    root = session.config.rootpath
    inside = [
        place
        for place in (path, *path.parents)
        if place.is_relative_to(root) and _RUNS in place.relative_to(root).parts
    ]
    return bool(inside) and not any(session.isinitpath(place) for place in inside)


class TraceFile(pytest.File):
    """A trace file: one test."""

    def collect(self) -> Iterator["TraceItem"]:
        """Give the test; the file is read when it runs."""
        yield TraceItem.from_parent(self, name="replay")


class TraceItem(pytest.Item):
    """Replays a trace and judges it."""

    def runtest(self) -> None:
        """Replay, compare, and judge as it was judged."""
        from cluster.properties.checker import Checker
        from cluster.trace.format import rebuild
        from cluster.trace.reader import TraceReader

        with _bad_input_fails(self.path), TraceReader(self.path) as reader:
            end = reader.end
            assert end is not None, "the reader refuses a prefix"
            if not _judges_promises(end.verdict):
                _replay_the_same(reader)
                return
            checker = Checker(rebuild(reader.header, str(self.path)))
            result = _replay_the_same(reader, checker)
        checker.finish(complete=end.complete)
        every = ": " in end.verdict
        _compare_verdict(self.path, end.verdict, _broken(checker, result, every=every))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Head the report of a failure."""
        return self.path, None, f"trace {self.path.name}"


def _judges_promises(verdict: str) -> bool:
    return verdict.partition(":")[0] in ("violated", *_HELD)


def _broken(checker: "Checker", result: "ReplayResult", *, every: bool) -> dict[str, str]:
    """Give the broken promises, and of each what was found first."""
    from cluster.explore.walk import PROTOCOL

    failures = [f"{name}: {text}" for name, text in result.failures.items()]
    found = {PROTOCOL: "; ".join(failures)} if failures else {}
    # also what the policy does not promise: `explore --promise` asks whether it could
    for violation in (v for v in checker.reports.found if every or v.promised):
        found.setdefault(violation.property, "; ".join((violation.text, *violation.operations)))
    return found


def _compare_verdict(path: Path, recorded: str, broken: dict[str, str]) -> None:
    """Fail unless a run that broke such promises is judged as recorded."""
    _, colon, promise = recorded.partition(": ")
    if promise in broken if colon else bool(broken) == (recorded not in _HELD):
        return
    found = [f"violated: {name}: {text}" for name, text in broken.items()] or ["held"]
    lines = [f"{path}: replays, but is judged otherwise", f"  recorded: {recorded}"]
    _fail("\n".join(lines + [f"  found:    {line}" for line in found]))


def _replay_the_same(source: "Path | TraceReader", *observers: "Observer") -> "ReplayResult":
    """Replay a trace; fail if it differs."""
    from cluster.replay.replaying import replay

    result = replay(source, observers=observers)
    if result.difference is not None:
        path = source if isinstance(source, Path) else source.path
        _fail(
            f"{path}: differs from its replay\n{result.difference.text()}\n"
            "If the machines were meant to change, record it again."
        )
    return result


@contextmanager
def _bad_input_fails(collected: Path | None = None) -> Iterator[None]:
    """Fail with the text of an InputError alone; of a foreign file that was collected say more."""
    from cluster.input_error import InputError

    try:
        yield
    except InputError as e:
        text = str(e)
        if collected is not None and _is_foreign(collected):
            text += f"\n`{_INI} = false` in pytest's configuration collects no {_SUFFIX} files."
        raise pytest.fail.Exception(text, pytrace=False) from None


def _is_foreign(path: Path) -> bool:
    from cluster.trace.format import MAGIC

    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) != MAGIC
    except OSError:
        return False


def _fail(text: str) -> NoReturn:
    pytest.fail(text, pytrace=False)


class Replaying(Protocol):
    """What the fixture `holezero_replay` gives."""

    def __call__(self, path: str | PathLike[str], *observers: "Observer") -> "ReplayResult":
        """Replay a trace, from the folder of the test file; fail the test if it differs."""
        ...


@pytest.fixture
def holezero_replay(request: pytest.FixtureRequest) -> Replaying:
    """Replay a trace and compare every message: `holezero_replay(path, *observers)`."""

    def replayed(path: str | PathLike[str], *observers: "Observer") -> "ReplayResult":
        trace = request.path.parent / path
        with _bad_input_fails():
            return _replay_the_same(trace, *observers)

    return replayed
