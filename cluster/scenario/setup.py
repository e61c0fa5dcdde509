"""A scenario made ready to run: its policy, its guest and its machines, checked."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import msgspec

from actors.guest.program import Dma, Guest, ThreadInfo
from actors.guest.script import Script, ScriptError, parse_line
from actors.lanes import lane_name
from actors.latency import LatencyTable
from actors.settings import Settings
from actors.wiring import Shape, Wiring, place_threads, wire
from cluster.input_error import InputError
from cluster.scenario.profile import adjusted, load_profile
from cluster.scenario.scenario import MachineTable, Scenario, ThreadTable
from cluster.scenario.shipped import nearest, problem_text
from cluster.scenario.slices import check_slices
from cluster.scenario.waits import check_waits
from cluster.workload.reader import Workload
from kernel.costs import Profile
from kernel.hazards.catalogue import BY_NAME
from kernel.hazards.switches import Hazard
from kernel.policy.keys import Invalidate, Policy, concerned
from kernel.policy.presets import PRESETS
from kernel.policy.promises import Property
from kernel.policy.refusals import refusals
from kernel.water_marks import WaterMarks, water_marks

#: preset of a scenario whose [policy] names none
DEFAULT_PRESET = "fatal-hole"
_SCALE_MAX = 1_000_000
#: keys of [machine] that the machines know under the same name
_SAME_KEYS = (
    "tlb_entries",
    "tlb_life_ns",
    "tlb_keeps_absence",
    "frames",
    "swap_slots",
    "act_init",
    "pageout_oom_seq",
    "store_buffer",
    "slice_ns",
    "interrupt_quantum_ns",
    "zero_batch",
    "zero_group",
    "refill_percent",
    "kernel",
)


class Setup(msgspec.Struct, frozen=True):
    """A scenario made ready to run: what every host starts from."""

    scenario: Scenario
    preset: str
    wiring: Wiring
    settings: Settings
    guest: Guest
    profile: Profile
    #: properties judged as if the policy promised them, to see whether it could
    also_promised: frozenset[Property] = frozenset()

    def latency(self) -> LatencyTable:
        """Return the latencies between the actors."""
        return LatencyTable(self.wiring, self.profile.latencies)

    def lane_name(self, lane: int) -> str:
        """Return the name of a lane: its guest thread, or its kernel thread."""
        return lane_name(lane, self.thread_names, self.wiring.names)

    @property
    def thread_names(self) -> list[str]:
        """List the names of the guest threads, by lane."""
        return [info.name for info in self.guest.threads]


def policy_of(table: Mapping[str, str | int], where: str) -> tuple[str, Policy]:
    """Return the preset's name and the policy: the preset with the table's keys on top."""
    keys = dict(table)
    name = str(keys.pop("preset", DEFAULT_PRESET))
    if name not in PRESETS:
        close = get_close_matches(name, PRESETS, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{where}: no preset {name!r}{hint} (presets: {', '.join(PRESETS)})")
    data = {**msgspec.to_builtins(PRESETS[name]), **keys}
    try:
        policy: Policy = msgspec.convert(data, Policy, strict=False)  # `--set` gives text
    except msgspec.ValidationError as e:
        names = list(msgspec.to_builtins(PRESETS[name]))
        hint = nearest(str(e), names) + _values_of_key(str(e))
        raise InputError(f"{where}: policy: {problem_text(e, data)}{hint}") from e
    refused = refusals(policy)
    if refused:
        raise InputError(f"{where}: this policy makes no sense: " + "; ".join(refused))
    return name, policy


def policy_changes(setup: Setup) -> dict[str, str]:
    """Return the policy's keys that differ from the preset, with their values."""
    preset = msgspec.to_builtins(PRESETS[setup.preset])
    policy = msgspec.to_builtins(setup.settings.policy)
    effective = concerned(setup.settings.policy)
    return {
        key: str(value) if key in effective else f"{value} (no effect)"
        for key, value in policy.items()
        if value != preset[key]
    }


def _values_of_key(message: str) -> str:
    """Return the values of the key that an error message is about."""
    _, at, key = message.partition("at `$.")
    values = getattr(Policy(), key.rstrip("`"), None) if at else None
    return f" (values: {', '.join(type(values))})" if isinstance(values, StrEnum) else ""


def _check_broadcast(policy: Policy, profile: Profile, where: str) -> None:
    if policy.invalidate is Invalidate.BROADCAST and not profile.costs.tlbi_issue_ns:
        raise InputError(
            f"{where}: invalidate=broadcast needs a machine that has it, and {profile.name} has "
            "none (costs.tlbi_issue_ns=0): set machine.profile=x86-invlpgb or arm64-cheri"
        )


def script_guest(threads: list[ThreadTable], where: str) -> Script:
    """Make a guest from the `[[thread]]` tables."""
    names = {t.name or f"t{i}": i for i, t in enumerate(threads)}
    programs = []
    for i, table in enumerate(threads):
        try:
            programs.append(tuple(parse_line(line, names) for line in table.run if line.strip()))
        except ScriptError as e:
            raise InputError(f"{where}: thread {table.name or i}: {e}") from e
    check_waits(programs, threads, list(names), where)
    infos = tuple(
        ThreadInfo(name, threads[i].process, threads[i].core, threads[i].initial)
        for name, i in names.items()
    )
    if len(infos) != len(threads):
        # of two threads with one name, the later is the one in `names`
        places = set(names.values())
        twice = [t.name or f"t{i}" for i, t in enumerate(threads) if i not in places]
        raise InputError(f"{where}: two threads have the same name: {', '.join(twice)}")
    return Script(infos, tuple(programs))


def _think_scale(timing: str, where: str) -> tuple[int, int]:
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
        if 0 <= scale <= _SCALE_MAX:
            scale = scale.limit_denominator(_SCALE_MAX)
            return scale.numerator, scale.denominator
    raise InputError(
        f"{where}: workload.timing={timing!r}: use recorded, asap or scaled:FACTOR, "
        f"with a factor from 0 to {_SCALE_MAX:,}"
    )


def _check_machine(machine: MachineTable, where: str) -> None:
    for many, few in (("domains", "sockets"), ("cores", "domains")):
        in_all, holders = getattr(machine, many), getattr(machine, few)
        if in_all % holders:
            raise InputError(
                f"{where}: machine.{many}={in_all} cannot be shared out equally among "
                f"machine.{few}={holders}: make it a multiple"
            )


def _homes(guest: Guest, families: Sequence[int], core_of: Sequence[int]) -> list[int]:
    """Return the home core of each process family, that of its first thread: its vm is near it."""
    homes = [0] * (1 + max(families))
    for thread, info in reversed(list(enumerate(guest.threads))):
        homes[families[info.process]] = core_of[thread]
    return homes


def _water_marks(machine: MachineTable, where: str) -> WaterMarks:
    """Return the scenario's marks; those left out are FreeBSD's, fitted to the given ones."""
    usual = water_marks(machine.frames)
    target, wakeup = machine.free_target, machine.free_wakeup
    if target is None:
        target = usual.target if wakeup is None else max(usual.target, wakeup)
    if wakeup is None:
        wakeup = max(1, target * 9 // 10)
    minimum = machine.free_min
    if minimum is None:
        minimum = max(min(usual.minimum, target), (machine.free_reserved or 0) + 1)
    reserved = machine.free_reserved
    if reserved is None:
        reserved = min(usual.reserved, max(0, minimum - 1))
    inactive = machine.inactive_target
    if inactive is None:
        inactive = min(target * 3 // 2, machine.frames // 3)
    for key, low, than, high in (
        ("free_wakeup", wakeup, "free_target", target),
        ("free_min", minimum, "free_target", target),
        ("free_reserved", reserved + 1, "free_min", minimum),
        ("free_min", minimum, "frames", machine.frames),
    ):
        if low > high:
            lower = low - 1 if key == "free_reserved" else low
            verb = "must be above" if key == "free_reserved" else "must not be below"
            raise InputError(f"{where}: machine.{than}={high} {verb} machine.{key}={lower}")
    return WaterMarks(
        reserved=reserved, minimum=minimum, wakeup=wakeup, target=target, inactive=inactive
    )


def _check_devices(guest: Guest, machine: MachineTable, where: str) -> None:
    if not isinstance(guest, Script):
        return
    for info, program in zip(guest.threads, guest.programs, strict=True):
        for one in program:
            if isinstance(one, Dma) and one.device >= machine.devices:
                raise InputError(
                    f"{where}: thread {info.name}: a transfer of device {one.device}, but "
                    f"machine.devices={machine.devices}: set machine.devices={one.device + 1}"
                )


def _check_cores(guest: Guest, machine: MachineTable, where: str) -> None:
    for info in guest.threads:
        if info.core >= machine.cores:
            raise InputError(
                f"{where}: thread {info.name}: core={info.core}, but machine.cores="
                f"{machine.cores} (the first is core 0)"
            )


def _shape(machine: MachineTable) -> Shape:
    return Shape(
        cores=machine.cores,
        sockets=machine.sockets,
        domains=machine.domains,
        zeroers=machine.zeroers,
        swaps=int(machine.swap_slots > 0),
        devices=machine.devices,
    )


def _hazards(names: list[str], where: str) -> int:
    found = Hazard.NONE
    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, 1)
            hint = f"did you mean {close[0]}?" if close else "`holezero hazards` lists them"
            raise InputError(f"{where}: run.hazards: no hazard {name!r}; {hint}")
        found |= BY_NAME[name]
    return found


def prepare(
    scenario: Scenario,
    where: str = "scenario",
    guest: Guest | None = None,
    profile: Profile | None = None,
) -> Setup:
    """Check the scenario and make everything that a host starts from.

    guest, profile: used instead of those that the scenario names (a trace brings its own).

    Raises:
        InputError: something in it is impossible; names the key and the fix.
    """
    machine, workload = scenario.machine, scenario.workload
    _check_machine(machine, where)
    preset, policy = policy_of(scenario.policy, where)
    base = profile or load_profile(machine.profile)
    profile = adjusted(base, scenario.costs, scenario.latencies, where)
    _check_broadcast(policy, profile, where)
    guest = guest or _guest(scenario, where)
    _check_cores(guest, machine, where)
    _check_devices(guest, machine, where)
    core_of = place_threads(guest, machine.cores)
    families = guest.families(1 + max((t.process for t in guest.threads), default=0))
    wiring = wire(_shape(machine), _homes(guest, families, core_of))
    settings = Settings(
        policy=policy,
        costs=profile.costs,
        architecture=profile.architecture,
        hazards=_hazards(scenario.run.hazards, where),
        fine=machine.grain == "fine",
        cores=machine.cores,
        sockets=machine.sockets,
        memories=wiring.memories,
        daemons=wiring.daemons,
        zeroers=wiring.zeroers,
        swaps=wiring.swaps,
        devices=wiring.devices,
        vm_of=tuple(wiring.vms[family] for family in families),
        core_of=core_of,
        process_of=tuple(t.process for t in guest.threads),
        computes=machine.thinking == "computes",
        marks=_water_marks(machine, where),
        **{key: getattr(machine, key) for key in _SAME_KEYS},
        seed=scenario.run.seed,
        think_scale=_think_scale(workload.timing, where),
        recorded_calls=workload.mapping == "recorded",
    )
    check_slices(settings, LatencyTable(wiring, profile.latencies), where)
    return Setup(scenario, preset, wiring, settings, guest, profile)


def _guest(scenario: Scenario, where: str) -> Guest:
    if bool(scenario.workload.file) == bool(scenario.thread):
        raise InputError(f"{where}: give either [workload] file = ... or [[thread]] tables")
    if scenario.workload.file:
        return Workload.open(Path(scenario.workload.file))
    return script_guest(scenario.thread, where)
