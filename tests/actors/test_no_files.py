"""While machines run, nothing reads a file or a clock: the guest is in memory."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import pytest

from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.scenario.scenario import MachineTable, Scenario, WorkloadTable
from cluster.scenario.setup import prepare
from cluster.scenario.shipped import shipped
from cluster.workload import reader
from tests.support.traced_runs import contended, host_of

_CALLS = {
    os: ("open", "read", "pread", "readv", "preadv", "stat", "fstat", "lseek", "write", "urandom"),
    time: ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
}


class ImpureError(Exception):
    """A machine, or the host that drives it, reached for the world outside."""


class Guard:
    """Forbids files, processes, sockets and clocks while it is on."""

    on = False

    def __enter__(self) -> None:
        Guard.on = True

    def __exit__(self, *_: object) -> None:
        Guard.on = False

    @staticmethod
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if Guard.on and event.partition(".")[0] in ("open", "os", "socket", "subprocess", "mmap"):
            raise ImpureError(f"{event} {arguments}")


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    """Watch what Python audits, and the calls that it does not."""

    def guarded(name: str, real: Callable[..., object]) -> object:
        def call(*arguments: object, **more: object) -> object:
            if Guard.on:
                raise ImpureError(name)
            return real(*arguments, **more)

        return call

    for module, names in _CALLS.items():
        for name in names:
            monkeypatch.setattr(module, name, guarded(name, getattr(module, name)))
    return Guard()


# an audit hook stays until the process ends: one for all tests, which asks whether it is to look
sys.addaudithook(Guard.hook)


def test_a_recorded_workload_runs_without_its_file(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few decoded instructions are kept, so that blocks are decoded while the machines run."""
    monkeypatch.setattr(reader, "DECODED_INSTRUCTIONS", 1024)
    path = Path(copy(shipped("workloads", ".hzw")["sqlite-snmalloc"], tmp_path))
    scenario = Scenario(machine=MachineTable(cores=4), workload=WorkloadTable(file=str(path)))
    setup = prepare(scenario)
    path.unlink()
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency())
    with guard:
        host.start()
        host.run(pause_after=40_000)
    assert host.deliveries == 40_000
    assert isinstance(setup.guest, reader.Workload)
    assert setup.guest._decoded_count <= 1024


def asks_for_the_time() -> None:
    time.monotonic_ns()


def opens_a_file() -> None:
    os.close(os.open("/dev/null", os.O_RDONLY))


def lists_a_folder() -> None:
    list(Path().iterdir())


def reads_what_is_open() -> None:
    os.pread(0, 1, 0)


@pytest.mark.parametrize(
    "call", [asks_for_the_time, opens_a_file, lists_a_folder, reads_what_is_open]
)
def test_the_guard_would_notice(guard: Guard, call: Callable[[], None]) -> None:
    class Listener:
        def noted(self, *_: object) -> None:
            call()

    host = host_of(contended(), listeners=(Listener(),))
    host.start()
    with guard, pytest.raises(ImpureError):
        host.run()
