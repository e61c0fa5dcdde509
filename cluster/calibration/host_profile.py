"""A cost profile of this machine: what was measured, the rest from a shipped profile.

Some keys are measured directly. Others are a part of what is measured: `fault_ns` is what a fault
takes besides zeroing and the messages of the model. Those are fitted, so that the model measures
the same as the machine.
"""

import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cluster.calibration import simulated
from cluster.calibration.host_costs import Figure, Tell, measure
from cluster.scenario.profile import adjusted, load_profile, values
from kernel.costs import Profile

_CPUINFO = Path("/proc/cpuinfo")
_TEXT_MAX = 1 << 16

#: key -> (the figure that it equals, what that is)
_DIRECT = {
    "syscall_ns": ("syscall", "an empty system call"),
    "zero_page_ns": ("zero_page", "memset of 4 KiB, cached"),
    "copy_page_ns": ("copy_page", "memcpy of 4 KiB, source not in the first caches"),
    "zap_page_ns": ("zap_page", "MADV_DONTNEED, each further page"),
    "set_dirty_ns": ("set_dirty", "store through a clean translation, less a plain store"),
    "signal_ns": ("segv", "SIGSEGV to a handler and back, less the handler's mprotect"),
    "context_switch_ns": ("context_switch", "a token to another process, less the pipe"),
    "pte_ns": ("mprotect_entry", "mprotect, each further page above 64"),
}


class HostProfile:
    """A profile in the making, with the source of each changed value."""

    def __init__(self, base: Profile, figures: dict[str, Figure]) -> None:
        """Start with the values of `base`."""
        self.base = base
        self.profile = base
        self.figures = figures
        self.sources: dict[str, str] = {}

    def put(self, key: str, ns: float, figure: Figure, what: str) -> None:
        """Set a cost or a latency, if the measurement leaves anything for it."""
        if round(ns) < 1:
            self.sources[key] = f"from {self.base.name}: {what} left nothing for it"
            return
        changed = {key: round(ns)}
        costs, latencies = (changed, {}) if hasattr(self.base.costs, key) else ({}, changed)
        self.profile = adjusted(self.profile, costs, latencies, "calibrate --host")
        self.sources[key] = f"measured on this host, median of {figure.samples}: {what}"

    def fit(self, key: str, name: str, what: str, simulate: Callable[[Profile], float]) -> None:
        """Set a key, which counts once in it, so that the model measures what this machine did."""
        figure = self.figures.get(name)
        if figure is None:
            return
        section = self.profile.costs if hasattr(self.base.costs, key) else self.profile.latencies
        now = getattr(section, key)
        self.put(
            key,
            now + figure.ns - simulate(self.profile),
            figure,
            f"{what} takes {figure.ns:,.0f} ns in all",
        )

    def text(self, about: str) -> str:
        """Return the text of the profile's file."""
        lines = [
            f"# {about}",
            "# Written by `holezero calibrate --host`. Integer nanoseconds.",
            'name = "host"',
            f'architecture = "{self.profile.architecture}"',
        ]
        section = ""
        for table, key, value in values(self.profile):
            if table != section:
                lines += ["", f"[{table}]"]
                section = table
            source = self.sources.get(key, f"from {self.base.name}, not measurable here")
            entry = f"{key} = {value}"
            lines.append(f"{entry:<34}# {source}")
        return "\n".join(lines) + "\n"


def measure_host(tell: Tell) -> str:
    """Measure this machine; return the text of its profile.

    tell: called with a line for each step.

    Raises:
        InputError: it cannot be measured; says why.
    """
    cpuinfo = _read(_CPUINFO)
    arm = platform.machine() in ("aarch64", "arm64")
    base = load_profile("arm64-cheri" if arm else "x86-ipi")
    # only where there is nothing else do measured shootdowns use interrupts
    by_interrupts = not arm and "invlpgb" not in cpuinfo.split()
    return profile_of(base, measure(tell), by_interrupts=by_interrupts).text(_about(cpuinfo))


def profile_of(base: Profile, figures: dict[str, Figure], *, by_interrupts: bool) -> HostProfile:
    """Make a profile from figures; what they lack is taken from `base`."""
    made = HostProfile(base, figures)
    for key, (name, what) in _DIRECT.items():
        if name in figures:
            made.put(key, figures[name].ns, figures[name], what)
    if "mprotect_invalidate" in figures and "mprotect_entry" in figures:
        both, entry = figures["mprotect_invalidate"], figures["mprotect_entry"]
        what = "mprotect, each further page up to 32, less pte_ns"
        made.put("local_invalidate_page_ns", both.ns - entry.ns, both, what)
    made.fit("fault_ns", "write_fault", "a zero-fill fault", simulated.fault_ns)
    alone = partial(simulated.mprotect_ns, cores=1)
    made.fit("map_ns", "mprotect_page", "mprotect of one page", alone)
    if by_interrupts:
        _shootdowns(made)
    return made


def _shootdowns(made: HostProfile) -> None:
    """Fit what interrupts cost: flight to the first target, further targets, time stolen there."""
    figures, before = made.figures, made.profile.costs
    further, first, stolen = (
        figures.get(name) for name in ("shootdown_further", "shootdown_first", "stolen")
    )
    if further is not None:
        made.put("ipi_send_ns", further.ns, further, "shootdown, each further target")
    if first is not None:
        model = simulated.mprotect_ns(made.profile, 2) - simulated.mprotect_ns(made.profile, 1)
        what = f"a first target adds {first.ns:,.0f} ns"
        flight = made.profile.latencies.core_core_ns + (first.ns - model) / 2  # there and back
        made.put("core_core_ns", flight, first, what)
        made.put("daemon_core_ns", flight, first, "as core_core_ns")
    if stolen is not None:
        rest = stolen.ns - before.ipi_ack_ns - before.local_invalidate_page_ns
        made.put("ipi_handler_ns", rest, stolen, f"{stolen.ns:,.0f} ns stolen, less ipi_ack_ns")


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_TEXT_MAX)
    except OSError:
        return ""


def _about(cpuinfo: str) -> str:
    model = "unknown processor"
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    virtual = " in a virtual machine" if "hypervisor" in cpuinfo.split() else ""
    return f"This host, {model}{virtual}, Linux {platform.release()}"
