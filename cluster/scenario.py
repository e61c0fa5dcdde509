"""Scenarios: TOML files that say which machine runs which guest under which policy.

    [machine]   cores, domains, zeroers, frames, tlb_entries, grain = "fused" | "fine", ...
    [policy]    preset = "fatal-hole", and any key of the policy on top of it
    [workload]  file = "x.hzw", timing = "recorded" | "asap" | "scaled:0.5", mapping, ...
    [[thread]]  name, process, core, initial, run = ["map 0 4", "store 0", ...], instead of a file
    [run]       seed, hazards = ["free-before-acks"]
    [costs], [latencies]   single values of the cost profile, to ask "what if" (integer ns)

`--set key=value` overrides any of them (`--set machine.cores=8`; a policy key may stand alone).
"""

import tomllib
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from actors.guest.program import Guest, ThreadInfo
from actors.guest.script import Script, ScriptError, parse_line
from actors.settings import Settings
from actors.wiring import Shape, Wiring, latency_table, place_threads, wire
from cluster.input_error import InputError
from cluster.profile import adjusted, load_profile
from cluster.shipped import nearest, read_toml, shipped
from cluster.workload import Workload
from kernel.costs import Profile
from kernel.hazards import BY_NAME, Hazard
from kernel.policy import PRESETS, Policy, refusals


class MachineTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[machine]`; sizes in pages, frames and entries, times in ns."""

    cores: int = 4
    domains: int = 1
    zeroers: int = 1
    frames: int = 1 << 20
    tlb_entries: int = 1536
    free_wakeup: int = 64
    free_target: int = 128
    store_buffer: int = 56
    interrupt_quantum_ns: int = 5000
    zero_batch: int = 64
    zero_group: int = 16
    profile: str = "x86-ipi"
    grain: str = "fused"


class WorkloadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[workload]`: a recorded guest and how it is played."""

    file: str = ""
    timing: str = "recorded"
    #: `policy` (releases and reuses become the policy's advice) or `recorded` (the same calls)
    mapping: str = "policy"


class ThreadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[thread]]`: a guest thread written by hand."""

    run: list[str]
    name: str = ""
    process: int = 0
    core: int = -1
    initial: bool = True


class RunTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[run]`."""

    seed: int = 0
    hazards: list[str] = []


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole scenario, as read."""

    about: str = ""
    machine: MachineTable = MachineTable()
    policy: dict[str, str] = {}
    workload: WorkloadTable = WorkloadTable()
    thread: list[ThreadTable] = []
    run: RunTable = RunTable()
    costs: dict[str, int] = {}
    latencies: dict[str, int] = {}


class Setup(msgspec.Struct, frozen=True):
    """A scenario made ready to run: what every host starts from."""

    scenario: Scenario
    preset: str
    wiring: Wiring
    settings: Settings
    guest: Guest
    profile: Profile

    def latency(self) -> list[list[int]]:
        """Give the latency table of the wiring."""
        return latency_table(self.wiring.roles, self.profile.latencies)


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
    """Check what was read against the tables.

    Raises:
        InputError: names the key, what is wrong with it and the nearest known key.
    """
    try:
        scenario: Scenario = msgspec.convert(data, Scenario)
    except msgspec.ValidationError as e:
        text = str(e)
        raise InputError(f"{where}: {text}{nearest(text, _table_names(text))}") from e
    return scenario


def load(path: Path) -> Scenario:
    """Read a scenario, or a workload file (which runs on the default machine)."""
    if path.suffix == ".hzw":
        return Scenario(workload=WorkloadTable(file=str(path)))
    scenario = parse(read_toml(path), str(path))
    if scenario.workload.file:
        found = path.parent / scenario.workload.file
        if not found.exists():
            found = shipped("workloads", ".hzw").get(
                scenario.workload.file.removesuffix(".hzw"), found
            )
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
        if table not in data or not isinstance(data[table], dict):
            raise InputError(f"--set {item}: there is no table {table!r}")
        value = _value(text.strip(), text_only=table == "policy")
        if isinstance(data[table].get(name), list) and isinstance(value, str):
            value = [word.strip() for word in value.split(",")]
        data[table][name] = value
    return parse(data, "--set")


def _value(text: str, *, text_only: bool) -> object:
    if text_only:
        return text
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def policy_of(table: dict[str, str], where: str) -> tuple[str, Policy]:
    """Give the preset's name and the policy: the preset with the table's keys on top."""
    keys = dict(table)
    name = keys.pop("preset", "fatal-hole")
    if name not in PRESETS:
        close = get_close_matches(name, PRESETS, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{where}: no preset {name!r}{hint} (presets: {', '.join(PRESETS)})")
    data = {**msgspec.to_builtins(PRESETS[name]), **keys}
    try:
        policy: Policy = msgspec.convert(data, Policy)
    except msgspec.ValidationError as e:
        names = list(msgspec.to_builtins(PRESETS[name]))
        raise InputError(f"{where}: policy: {e}{nearest(str(e), names)}") from e
    refused = refusals(policy)
    if refused:
        raise InputError(f"{where}: this policy makes no sense: " + "; ".join(refused))
    return name, policy


def script_guest(threads: list[ThreadTable], where: str) -> Script:
    """Make a guest of the `[[thread]]` tables."""
    names = {t.name or f"t{i}": i for i, t in enumerate(threads)}
    programs = []
    for i, table in enumerate(threads):
        try:
            programs.append(tuple(parse_line(line, names) for line in table.run if line.strip()))
        except ScriptError as e:
            raise InputError(f"{where}: thread {table.name or i}: {e}") from e
    infos = tuple(
        ThreadInfo(name, threads[i].process, threads[i].core, threads[i].initial)
        for name, i in names.items()
    )
    if len(infos) != len(threads):
        raise InputError(f"{where}: two threads have the same name")
    return Script(infos, tuple(programs))


def _think_scale(timing: str) -> tuple[int, int]:
    if timing == "recorded":
        return (1, 1)
    if timing == "asap":
        return (0, 1)
    kind, colon, factor = timing.partition(":")
    if kind == "scaled" and colon:
        try:
            scale = Fraction(factor)
        except (ValueError, ZeroDivisionError):
            scale = Fraction(-1)
        if scale >= 0:
            return scale.numerator, scale.denominator
    raise InputError(f"workload.timing={timing!r}: use recorded, asap or scaled:FACTOR")


def _check_machine(machine: MachineTable) -> None:
    fields = msgspec.structs.asdict(machine)
    for name, value in fields.items():
        if isinstance(value, int) and value < 1:
            raise InputError(f"machine.{name}={value}: must be at least 1")
    if machine.cores > 4096:
        raise InputError(f"machine.cores={machine.cores}: at most 4096")
    if machine.grain not in ("fused", "fine"):
        raise InputError(f"machine.grain={machine.grain!r}: use fused or fine")
    if machine.free_target < machine.free_wakeup:
        raise InputError("machine.free_target must not be below machine.free_wakeup")


def _hazards(names: list[str]) -> Hazard:
    found = Hazard.NONE
    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"run.hazards: no hazard {name!r}{hint}")
        found |= BY_NAME[name]
    return found


def prepare(scenario: Scenario, where: str = "scenario", guest: Guest | None = None) -> Setup:
    """Check the scenario and make everything that a host starts from.

    guest: instead of the one that the scenario names (a trace brings its own).

    Raises:
        InputError: something in it is impossible; names the key and the fix.
    """
    machine, workload = scenario.machine, scenario.workload
    _check_machine(machine)
    preset, policy = policy_of(scenario.policy, where)
    profile = adjusted(load_profile(machine.profile), scenario.costs, scenario.latencies, where)
    if guest is None:
        guest = _guest(scenario, where)
    if workload.mapping not in ("policy", "recorded"):
        raise InputError(f"workload.mapping={workload.mapping!r}: use policy or recorded")
    processes = 1 + max((t.process for t in guest.threads), default=0)
    shape = Shape(cores=machine.cores, domains=machine.domains, zeroers=machine.zeroers)
    wiring = wire(shape, processes)
    settings = Settings(
        policy=policy,
        costs=profile.costs,
        hazards=_hazards(scenario.run.hazards),
        fine=machine.grain == "fine",
        cores=machine.cores,
        memories=wiring.memories,
        daemons=wiring.daemons,
        zeroers=wiring.zeroers,
        vm_of=wiring.vms,
        core_of=place_threads(guest, machine.cores),
        process_of=tuple(t.process for t in guest.threads),
        tlb_entries=machine.tlb_entries,
        frames=machine.frames,
        free_wakeup=machine.free_wakeup,
        free_target=machine.free_target,
        store_buffer=machine.store_buffer,
        interrupt_quantum_ns=machine.interrupt_quantum_ns,
        zero_batch=machine.zero_batch,
        zero_group=machine.zero_group,
        seed=scenario.run.seed,
        think_scale=_think_scale(workload.timing),
        recorded_calls=workload.mapping == "recorded",
    )
    return Setup(scenario, preset, wiring, settings, guest, profile)


def _guest(scenario: Scenario, where: str) -> Guest:
    if bool(scenario.workload.file) == bool(scenario.thread):
        raise InputError(f"{where}: give either [workload] file = ... or [[thread]] tables")
    if scenario.workload.file:
        return Workload.open(Path(scenario.workload.file))
    return script_guest(scenario.thread, where)
