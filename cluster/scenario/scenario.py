"""Scenarios: TOML files that say which machine runs which guest under which policy.

    [machine]   cores, sockets, domains, zeroers and frames (both per domain), devices,
                tlb_entries, tlb_life_ns, grain = "fused" | "fine", kernel, ...
    [policy]    preset = "fatal-hole", and any key of the policy on top of it
    [workload]  file = "x.hzw", timing = "recorded" | "asap" | "scaled:0.5", mapping, ...
    [[thread]]  name, process, core, initial, run = ["map 0 4", "store 0", ...], instead of a file
    [run]       seed, hazards = ["free-before-acks"]
    [costs], [latencies]   single values of the cost profile, to ask "what if" (integer ns)

`--set key=value` overrides any of them (`--set machine.cores=8`; a policy key may stand alone).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cluster.input_error import InputError
from cluster.scenario.shipped import nearest, problem_text, read_toml, shipped
from kernel.flush_extent import Kernel

#: bounds that keep numbers small enough; the profile says which values are possible
_Ns = Annotated[int, Meta(ge=0, le=1 << 62)]
_Count = Annotated[int, Meta(ge=1, le=1 << 32)]
_Frames = Annotated[int, Meta(ge=0, le=1 << 32)]


class MachineTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[machine]`; sizes in pages, frames and entries, times in ns."""

    cores: Annotated[int, Meta(ge=1, le=16_384)] = 4
    sockets: Annotated[int, Meta(ge=1, le=256)] = 1
    domains: Annotated[int, Meta(ge=1, le=256)] = 1
    #: per domain, and so is `frames`
    zeroers: Annotated[int, Meta(ge=1, le=256)] = 1
    #: in the whole machine, spread over its domains
    devices: Annotated[int, Meta(ge=0, le=256)] = 0
    frames: _Count = 1 << 20
    #: pages of the swap device; 0: no swap
    swap_slots: _Frames = 0
    tlb_entries: _Count = 1536
    #: an entry leaves a TLB at most so long after it was loaded (a timed run lasts until the last
    #: one has); 0: only when it is flushed, or evicted because the TLB is full
    tlb_life_ns: _Ns = 0
    #: a TLB also keeps that a page has no entry (RISC-V may): who gains access faults, and fences
    tlb_keeps_absence: bool = False
    #: water marks of free frames, per domain; by default FreeBSD's for so many frames
    free_reserved: _Frames | None = None
    free_min: _Frames | None = None
    free_wakeup: _Frames | None = None
    free_target: _Frames | None = None
    inactive_target: _Frames | None = None
    #: activity of a page that becomes active (FreeBSD's ACT_INIT)
    act_init: Annotated[int, Meta(ge=0, le=64)] = 5
    #: unsuccessful passes after which a page daemon kills the largest process
    pageout_oom_seq: Annotated[int, Meta(ge=1, le=1 << 20)] = 12
    store_buffer: _Count = 56
    interrupt_quantum_ns: _Count = 5000
    #: time slice: ULE's, 12 ticks of stathz 127; 0: threads are not preempted
    slice_ns: _Ns = 94_000_000
    #: what a thread does while it thinks: waits, or computes on its core
    thinking: Literal["waits", "computes"] = "waits"
    zero_batch: _Count = 64
    zero_group: _Count = 16
    profile: str = "x86-ipi"
    #: whose rules say how much of a TLB is flushed
    kernel: Kernel = Kernel.FREEBSD
    #: of the entries that a full flush drops for nothing, the share that is used again
    refill_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    grain: Literal["fused", "fine"] = "fused"


class WorkloadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[workload]`: a recorded guest and how it is played."""

    file: str = ""
    timing: str = "recorded"
    #: `policy` (releases and reuses become the policy's advice) or `recorded` (the same calls)
    mapping: Literal["policy", "recorded"] = "policy"


class ThreadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[thread]]`: a guest thread written by hand."""

    run: list[str]
    name: str = ""
    process: Annotated[int, Meta(ge=0, le=4095)] = 0
    #: -1: spread over the cores with the other such threads
    core: Annotated[int, Meta(ge=-1)] = -1
    initial: bool = True


class RunTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[run]`."""

    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] = 0
    hazards: list[str] = []


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole scenario, as read."""

    about: str = ""
    machine: MachineTable = MachineTable()
    policy: Mapping[str, str | int] = {}
    workload: WorkloadTable = WorkloadTable()
    thread: list[ThreadTable] = []
    run: RunTable = RunTable()
    costs: dict[str, _Ns] = {}
    latencies: dict[str, _Ns] = {}


def _table_names(message: str) -> list[str]:
    tables: dict[str, type[msgspec.Struct]] = {
        "$.machine": MachineTable,
        "$.workload": WorkloadTable,
        "$.thread": ThreadTable,
        "$.run": RunTable,
    }
    for where, table in tables.items():
        if where in message:
            return list(table.__struct_fields__)
    return list(Scenario.__struct_fields__)


def parse(data: dict[str, Any], where: str) -> Scenario:
    """Check data against the tables, and return the scenario.

    Raises:
        InputError: names the key, what is wrong with it and the nearest known key.
    """
    try:
        scenario: Scenario = msgspec.convert(data, Scenario)
    except msgspec.ValidationError as e:
        hint = nearest(str(e), _table_names(str(e)))
        raise InputError(f"{where}: {problem_text(e, data)}{hint}") from e
    return scenario


def load(path: Path) -> Scenario:
    """Read a scenario, or a workload file, which runs on the default machine."""
    if path.suffix == ".hzw":
        return Scenario(workload=WorkloadTable(file=str(path)))
    scenario = parse(read_toml(path), str(path))
    if scenario.workload.file:
        found = path.parent / scenario.workload.file
        if not found.exists():
            ships = shipped("workloads", ".hzw")
            name = scenario.workload.file.removesuffix(".hzw")
            if name not in ships:
                raise InputError(
                    f"{path}: workload.file={scenario.workload.file!r}: there is no {found}, and "
                    f"no workload ships by that name (there are {', '.join(ships)})"
                )
            found = ships[name]
        table = msgspec.structs.replace(scenario.workload, file=str(found))
        return msgspec.structs.replace(scenario, workload=table)
    return scenario


def override(scenario: Scenario, settings: list[str], preset: str | None) -> Scenario:
    """Apply `--preset` and `--set table.key=value` (a policy key may stand alone)."""
    data = msgspec.to_builtins(scenario)
    if preset is not None:
        data["policy"] = {"preset": preset}
    for item in settings:
        key, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"--set {item}: write key=value, as in --set machine.cores=8")
        table, dot, name = key.strip().partition(".")
        if not dot:
            table, name = "policy", table
        if not isinstance(data.get(table), dict):
            tables = ", ".join(key for key, value in data.items() if isinstance(value, dict))
            raise InputError(f"--set {item}: there is no table {table!r}; tables are {tables}")
        if not dot and isinstance(data.get(name), dict):
            raise InputError(f"--set {item}: is not a single key; write {name}.KEY=value")
        value = _value(text.strip(), text_only=table == "policy")
        if isinstance(data[table].get(name), list) and isinstance(value, str):
            value = [word.strip() for word in value.split(",")]
        data[table][name] = value
    return parse(data, "--set")


def _value(text: str, *, text_only: bool) -> object:
    if text_only and not text.isdecimal():
        return text
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text
