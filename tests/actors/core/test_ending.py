"""exit_group and execve end every other thread of the process, whatever it does at that time."""

import pytest

from actors.vm.machine import Vm
from tests.support.outcomes import Outcomes, thread

#: what the other thread does when it is to end, after `store 1`; and keys of it or of the machine
DOES: dict[str, tuple[tuple[str, ...], dict[str, str | int]]] = {
    "runs on another core": (("load 1 200 0",), {"core": 1}),
    "is on the run queue of the same core": (("load 1 200 0",), {"core": 0}),
    "thinks": (("think 100000000",), {"core": 1}),
    "computes": (("think 100000000",), {"core": 1, "thinking": "computes"}),
    "waits for another thread": (("await a 4",), {"core": 1}),
    "waits for a device": (("dma-read 1 4", "dma-wait"), {"core": 1, "devices": 1}),
    "maps memory": (("map 0x20 1",) * 40, {"core": 1}),
    "faults": (("store 1 4",) * 40, {"core": 1}),
    "reads a file": (("map 0x20 9 file:0", "load 0x20 9"), {"core": 1}),
    "forks": (("fork k",), {"core": 1}),
    "ends the process, too": (("quit",), {"core": 1}),
    "goes on in a new program, too": (("exec",), {"core": 1}),
    "has ended": (("exit",), {"core": 1}),
}
RESTS = frozenset({"thinks", "computes", "waits for another thread"})
GOES_ON = {"exit_group": ("quit",), "execve": ("exec", "map 1 1", "load 1")}


@pytest.mark.parametrize("grain", ["fine", "fused"])
@pytest.mark.parametrize("ns", [1, 700, 3000, 20_000])
@pytest.mark.parametrize("way", GOES_ON)
@pytest.mark.parametrize("does", DOES)
def test_it_ends(does: str, way: str, ns: int, grain: str) -> None:
    program, keys = DOES[does]
    machine = {key: value for key, value in keys.items() if key != "core"}
    first = thread("a", "map 1 4", "store 1 4", "create b", f"think {ns}", *GOES_ON[way], core=0)
    other = thread("b", "store 1", *program, "map 9 1", "store 9", core=keys["core"], initial=False)
    child = [thread("k", "load 1", process=1, initial=False)] if "fork k" in program else []
    run = Outcomes({"preset": "fatal-hole"}, first, other, *child, grain=grain, **machine)
    assert run.left == []
    assert run.broken == []
    vm = next(machine.state for machine in run.machines if isinstance(machine, Vm))
    survivors = {"exit_group": [], "execve": [(1, 2)]}[way]
    maps = [(entry.start, entry.end) for entry in vm.spaces[0].map.entries]
    if program not in (("quit",), ("exec",)):
        assert maps == survivors
    if does in RESTS:
        assert run.seen["b"].count("MMAP OK") == 0, "it did not go on"


def test_memory_that_is_short_is_no_reason_to_stay() -> None:
    """Who sleeps for a frame is woken, and gets none."""
    machine = {"frames": 4, "free_wakeup": 1, "free_target": 1, "pageout_oom_seq": 90}
    first = thread("a", "map 1 9", "store 1 3", "create b", "think 3000000", "quit", core=0)
    other = thread("b", "store 4 5", "map 0x20 1", core=1, initial=False)
    run = Outcomes({"preset": "fatal-hole"}, first, other, **machine)
    assert (run.left, run.broken, run.killed) == ([], [], [])
    assert run.seen["b"] == []
