"""Traces as tests: the README's example, and how a trace that is not what it was fails."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest

from actors.hardware.memory import Memory
from actors.machine import Effect
from actors.messages import Load

# All that a test of a trace imports is imported here: what a pytest within pytest imports first is
# forgotten when it ends.
from cluster.__main__ import main
from cluster.explore.found.named import along
from cluster.explore.found.witness import write_witness
from cluster.explore.search import Chosen, Strategy, explore
from cluster.explore.walk import Walks
from cluster.hosts.model import MODEL
from cluster.scenario.scenario import parse
from cluster.scenario.setup import Setup, prepare
from cluster.trace.format import header_of
from cluster.trace.writer import TraceWriter
from tests.support.places import ROOT
from tests.support.traced_runs import record_inline

pytest_plugins = "pytester"

_SECTION = re.compile(r"^## Traces as tests\n(.*?)^## ", re.DOTALL | re.MULTILINE)


def tiny(*hazards: str) -> Setup:
    data = {
        "machine": {"cores": 1, "grain": "fine"},
        "thread": [{"name": "a", "run": ["map 1 1", "load 1"]}],
        "run": {"hazards": list(hazards)},
    }
    return prepare(parse(data, "tiny"))


def write_broken(path: Path, verdict: str = "violated: isolate") -> None:
    """Write an order that breaks a promise."""
    setup = tiny("foreign-frame")
    (found,) = explore(setup, Chosen(strategy=Strategy.BFS)).found
    write_witness(path, setup, found.path, verdict)


def write_held(path: Path, verdict: str) -> None:
    walk, taken = along(Walks(tiny()), (), to_rest=True)
    assert not walk.broken()
    write_witness(path, tiny(), taken.path, verdict)


def raises(self: Memory, src: int, m: Load) -> list[Effect]:
    """Be a memory that must not get a load."""
    assert m is None, "no loads here"
    return []


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest within pytest; hypothesis would take seconds to be imported anew each time."""
    return pytester.runpytest("-p", "no:hypothesispytest", *arguments)


def failures(pytester: pytest.Pytester, count: int, *arguments: str) -> str:
    """Run tests that all fail; give what is said of them, which is no traceback.

    Without the summary, which says it again at any length where the environment has CI.
    """
    result = run(pytester, "-rN", *arguments)
    result.assert_outcomes(failed=count)
    text = result.stdout.str()
    for line in ("Traceback", "Error\n", "pytest_plugin.py", "exception occurred"):
        assert line not in text
    return text


def test_the_readme_example_runs(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    section = _SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert section is not None
    lines = re.findall(r"^    ((?:holezero|pytest).*)$", section[1], re.MULTILINE)
    commands = [shlex.split(line) for line in lines]
    assert [c[0] for c in commands] == ["holezero", "holezero", "pytest"]
    pytester.mkdir("tests")
    assert main(commands[0][1:]) == 1
    assert main(commands[1][1:]) == 0
    code = re.search(r"```python\n(.*?)```", section[1], re.DOTALL)
    assert code is not None
    Path("tests/test_found.py").write_text(code[1], encoding="utf-8")
    capsys.readouterr()
    result = run(pytester, *commands[2][1:], "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["tests/foreign-frame.trace::replay PASSED*"])


def test_verdicts_that_hold(pytester: pytest.Pytester) -> None:
    folder = pytester.path
    for place, verdict in enumerate(("violated: isolate", "violated", "unchecked", "")):
        write_broken(folder / f"broken{place}.trace", verdict)
    write_held(folder / "held.trace", "held")
    record_inline(folder / "timed.trace", "order")
    record_inline(folder / "stopped.trace", "full", limit=70)
    run(pytester).assert_outcomes(passed=7)


def test_verdicts_that_no_longer_hold(pytester: pytest.Pytester) -> None:
    for place, verdict in enumerate(("violated: translation", "violated: protocol", "held")):
        write_broken(pytester.path / f"broken{place}.trace", verdict)
    for place, verdict in enumerate(("violated: isolate", "violated")):
        write_held(pytester.path / f"held{place}.trace", verdict)
    text = failures(pytester, 5)
    junk = "violated: isolate: a load of page 0x1 gave junk"
    for name, recorded, found in (
        ("broken0", "violated: translation", junk),
        ("broken1", "violated: protocol", junk),
        ("broken2", "held", junk),
        ("held0", "violated: isolate", "held"),
        ("held1", "violated", "held"),
    ):
        lines = f"  recorded: {recorded}\n  found:    {found}"
        assert f"{name}.trace: replays, but is judged otherwise\n{lines}" in text


def test_a_machine_that_fails_as_recorded(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(Memory.HANDLERS, Load, raises)
        write_broken(pytester.path / "x.trace", "violated: protocol")
        run(pytester).assert_outcomes(passed=1)
    text = failures(pytester, 1)
    assert "x.trace: differs from its replay\nfirst difference after" in text
    assert "  recorded: memory0: AssertionError: no loads here" in text
    assert "  replayed: no machine fails" in text
    assert "record it again" in text


def test_files_that_can_not_be_used(pytester: pytest.Pytester) -> None:
    path = pytester.path / "x.trace"
    write_broken(path)
    whole = path.read_bytes()
    for at in (20, 300, len(whole) - 3):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.with_name(f"damaged{at}.trace").write_bytes(damaged)
    path.with_name("foreign.trace").write_bytes(b"\x89PNG\r\n")
    header = msgspec.structs.replace(header_of(tiny()), model=MODEL + 1)
    with TraceWriter(path, header) as trace:
        trace.flush()
    text = failures(pytester, 5)
    assert text.count(".trace: damaged: the block at byte ") == 3
    assert "foreign.trace: not a holezero trace" in text
    assert text.count("`holezero_traces = false`") == 1
    assert f"x.trace: recorded with machines of model {MODEL + 1}" in text
    assert "record the run again" in text


def test_a_project_that_wants_none(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nholezero_traces = false")
    write_broken(pytester.path / "x.trace")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_runs_are_left_alone_unless_named(pytester: pytest.Pytester) -> None:
    pytester.mkdir("runs").joinpath("one").mkdir()
    write_broken(pytester.path / "runs" / "one" / "run.trace")
    assert run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    for named in ("runs/one", "runs/one/run.trace"):
        run(pytester, named).assert_outcomes(passed=1)


def test_the_fixture_says_what_differs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_it(holezero_replay):\n    holezero_replay('kept/x.trace')")
    assert "x.trace: can not be read: No such file or directory." in failures(pytester, 1)
    write_broken(pytester.mkdir("kept") / "x.trace")
    monkeypatch.setitem(Memory.HANDLERS, Load, raises)
    text = failures(pytester, 1, "--ignore=kept")
    assert "x.trace: differs from its replay\nfirst difference after" in text


def test_the_fixture_gives_observers_the_machines(pytester: pytest.Pytester) -> None:
    write_broken(pytester.path / "x.trace")
    pytester.makepyfile("""
        class Watch:
            roles = steps = ()

            def started(self, actor, machine, effects):
                self.roles += (machine.ROLE,)

            def delivered(self, when, dst, src, seq, message, effects):
                self.steps += (dst,)

            def noted(self, when, actor, fact):
                pass

        def test_it(holezero_replay, request):
            watch = Watch()
            result = holezero_replay(request.path.parent / "x.trace", watch)
            assert "memory" in watch.roles
            assert len(watch.steps) == result.deliveries
    """)
    run(pytester).assert_outcomes(passed=2)


def test_the_asserts_of_machines_stay_as_written(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretend to be installed from a wheel: pytest then rewrites all packages that it lists."""
    info = pytester.mkdir("site") / "holezero-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: holezero\nVersion: 9\n")
    (info / "entry_points.txt").write_text("[pytest11]\nholezero = cluster.pytest_plugin\n")
    (info / "RECORD").write_text("actors/__init__.py,,\ncluster/__init__.py,,\n")
    monkeypatch.setenv("PYTHONPATH", f"{info.parent}:{ROOT}")
    pytester.makepyfile("""
        import actors.machine
        import cluster.input_error
        import cluster.pytest_plugin

        def test_it():
            plugin, *others = (
                type(module.__loader__).__name__
                for module in (cluster.pytest_plugin, cluster.input_error, actors.machine)
            )
            assert plugin == "AssertionRewritingHook", "else this test tests nothing"
            assert others == ["SourceFileLoader", "SourceFileLoader"]
    """)
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)
