"""The calibration experiments V1 to V6: published measurements of real machines, made again here.

Each row is one published figure. It holds for the machines of some profiles and not for others.
SOURCES.md lists the keys [S..], and prints this table.
"""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from cluster.calibration import simulated
from kernel.costs import Profile
from kernel.policy.keys import Invalidate

_IPI, _INVLPGB, _ARM = "x86-ipi", "x86-invlpgb", "arm64-cheri"

Measure = Callable[[Profile], float]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A published figure, from `low` to `high`, and how to measure the same in the model."""

    id: str
    about: str
    unit: str
    low: float
    high: float
    tolerance_percent: int
    source: str
    #: shipped profiles of machines like the one it was measured on
    profiles: tuple[str, ...]
    measure: Measure
    #: it measures broadcast invalidation
    broadcast: bool = False

    def refused(self, profile: Profile) -> str:
        """Return why it is not run on a profile; empty if it is."""
        if (profile.like or profile.name) not in self.profiles:
            return f"measured on machines of {' and '.join(self.profiles)}"
        if self.broadcast and not profile.costs.tlbi_issue_ns:
            return "the profile has no broadcast invalidation"
        return ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an experiment."""

    experiment: str
    about: str
    profile: str
    unit: str
    expected: tuple[float, float]
    tolerance_percent: int
    source: str
    measured: float | None = None
    within: bool | None = None
    #: why it was not measured, if so
    not_run: str = ""


def _throughput(threads: int, thousands: int) -> Experiment:
    return Experiment(
        id=f"V3 n={threads}",
        about=f"tlb_flush2, {threads} threads, interrupts",
        unit="k/s",
        low=thousands,
        high=thousands,
        tolerance_percent=10,
        source="[S1] LKML, R. van Riel 2025: tip",
        profiles=(_INVLPGB,),
        measure=partial(simulated.discards_per_ms, threads=threads),
    )


def _broadcast_throughput(threads: int, thousands: int) -> Experiment:
    return Experiment(
        id=f"V3 n={threads} b",
        about=f"tlb_flush2, {threads} threads, INVLPGB",
        unit="k/s",
        low=thousands,
        high=thousands,
        tolerance_percent=10,
        source="[S1] LKML, R. van Riel 2025: invlpgb",
        profiles=(_INVLPGB,),
        measure=partial(
            simulated.discards_per_ms, threads=threads, invalidate=Invalidate.BROADCAST
        ),
        broadcast=True,
    )


#: cycles of a 2.3 GHz machine, as ns
_MPROTECT_ALONE_NS, _MPROTECT_TWO_NS, _INVLPG_NS = 2499 / 2.3, 4655 / 2.3, 260 / 2.3

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        id="V1 n=1",
        about="mprotect of one page, 1 thread",
        unit="ns",
        low=_MPROTECT_ALONE_NS,
        high=_MPROTECT_ALONE_NS,
        tolerance_percent=10,
        source="[S4] LKML, N. Amit 2022: 2499 cycles at 2.3 GHz",
        profiles=(_IPI,),
        measure=partial(simulated.mprotect_ns, cores=1),
    ),
    Experiment(
        id="V1 n=2",
        about="mprotect of one page, 2 threads",
        unit="ns",
        low=_MPROTECT_TWO_NS,
        high=_MPROTECT_TWO_NS,
        tolerance_percent=10,
        source="[S4] LKML, N. Amit 2022: 4655 cycles at 2.3 GHz",
        profiles=(_IPI,),
        measure=partial(simulated.mprotect_ns, cores=2),
    ),
    Experiment(
        id="V2",
        about="shootdown of 16 cores in 2 sockets",
        unit="ns",
        low=6000,
        high=6000,
        tolerance_percent=15,
        source="[2nd:S7] LATR's figure, quoted",
        profiles=(_IPI,),
        measure=partial(simulated.shootdown_ns, cores=16, sockets=2),
    ),
    *(_throughput(n, k) for n, k in ((1, 315), (2, 423), (8, 652), (32, 759))),
    *(_broadcast_throughput(n, k) for n, k in ((8, 1267), (32, 1199))),
    Experiment(
        id="V4 slope",
        # S44 does not say whether its kernel overlaps the two cores' work: both are counted
        about="mprotect and shootdown, each further page, both cores together",
        unit="ns",
        low=270,
        high=310,
        tolerance_percent=20,
        source="[D:S44] slope of shootdown time by pages",
        profiles=(_IPI,),
        measure=simulated.shootdown_page_ns,
    ),
    Experiment(
        id="V4 invlpg",
        about="invalidation of each further page on the interrupted core",
        unit="ns",
        low=_INVLPG_NS,
        high=_INVLPG_NS,
        tolerance_percent=20,
        source="[S43] LKML, I. Molnar, D. Hansen 2015: 260 cycles, taken at 2.3 GHz",
        profiles=(_IPI,),
        measure=simulated.invalidation_page_ns,
    ),
    Experiment(
        id="V5 fault",
        about="zero-fill fault, all in",
        unit="ns",
        low=1010,
        high=1010,
        tolerance_percent=15,
        source="[S37] personal page, 100 runs: weak",
        profiles=(_IPI, _INVLPGB),
        measure=simulated.fault_ns,
    ),
    Experiment(
        id="V5 zap",
        about="discard, each further page",
        unit="ns",
        low=166,
        high=344,
        tolerance_percent=15,
        source="[D:S35] gperftools issue 754",
        profiles=(_IPI, _INVLPGB),
        measure=simulated.zap_page_ns,
    ),
    Experiment(
        id="V5 zero",
        about="zeroing of a 4 KiB page",
        unit="ns",
        low=299,
        high=299,
        tolerance_percent=15,
        source="[S24] analysis of Linux commit cb431accb36e",
        profiles=(_INVLPGB,),
        measure=simulated.zero_page_ns,
    ),
    Experiment(
        id="V6",
        about="TLBI page by page: fixed cost over cost per page",
        unit="pages",
        low=18,
        high=21,
        tolerance_percent=20,
        source="[D:S12] LKML, Zhenyu Ye 2020",
        profiles=(_ARM,),
        measure=partial(simulated.fixed_in_pages, invalidate=Invalidate.BROADCAST),
        broadcast=True,
    ),
)


def check(profile: Profile) -> Iterator[Finding]:
    """Run the experiments on a profile, one after another.

    Only what was measured on machines like the profile's is run: on another it says nothing.
    """
    for one in EXPERIMENTS:
        finding = Finding(
            experiment=one.id,
            about=one.about,
            profile=profile.name,
            unit=one.unit,
            expected=(round(one.low, 1), round(one.high, 1)),
            tolerance_percent=one.tolerance_percent,
            source=one.source,
        )
        if refused := one.refused(profile):
            yield msgspec.structs.replace(finding, not_run=refused)
        else:
            measured = one.measure(profile)
            slack = one.tolerance_percent / 100
            within = one.low * (1 - slack) <= measured <= one.high * (1 + slack)
            yield msgspec.structs.replace(finding, measured=round(measured, 1), within=within)
