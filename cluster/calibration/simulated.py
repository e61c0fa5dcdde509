"""Simulated measurements: run a scenario and read a figure off it."""

import math
from collections.abc import Sequence

from actors.facts import CallEnded, Fact
from actors.machine import Effect, Machine, Spend
from actors.message import Message
from actors.messages import Invalidated, Ipi, Shoot, ZeroFrames
from actors.operation import OpKind
from actors.wiring import build
from cluster.hosts.inline import InlineHost
from cluster.results.figures import Metrics
from cluster.results.meter import Results
from cluster.scenario.scenario import parse
from cluster.scenario.setup import prepare
from kernel.costs import Profile
from kernel.policy.keys import Invalidate

#: long enough for every thread to have done what comes before
_SETTLED_NS = 1_000_000
#: page counts of two runs, from which a cost per page is taken; Linux lists up to 33
_FEW, _MANY = 8, 32
#: discards of each thread in a throughput run
_ROUNDS = 32

Program = list[str]
#: (core, program)
Threads = Sequence[tuple[int, Program]]


class Watch:
    """Hears a run: its metrics, when discards ended, what cores spent on messages."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.results = Results()
        #: thread -> when each of its discards ended
        self.discards: dict[int, list[int]] = {}
        #: class of message -> what the receivers spent on each
        self.spent: dict[type[Message], list[int]] = {Ipi: [], Shoot: [], ZeroFrames: []}
        #: how long each shootdown took, from its order to its report
        self.shootdowns: list[int] = []
        self._ordered: dict[int, int] = {}

    def noted(self, when: int, actor: int, fact: Fact) -> None:
        """Hear a fact."""
        self.results.noted(when, actor, fact)
        if isinstance(fact, CallEnded) and fact.kind == OpKind.ADVISE_DONTNEED:
            self.discards.setdefault(fact.op, []).append(when)

    def started(self, actor: int, machine: Machine, effects: list[Effect]) -> None:
        """Wait for what is delivered."""

    def delivered(
        self, when: int, _dst: int, _src: int, _seq: int, message: Message, effects: list[Effect]
    ) -> None:
        """Hear a delivery; kernel work that a message only carries is not counted."""
        if isinstance(message, Shoot):
            self._ordered[message.op] = when + message.ns
        elif isinstance(message, Invalidated):
            self.shootdowns.append(when - self._ordered.pop(message.op))
        spent = self.spent.get(message.__class__)
        if spent is not None:
            ns = sum(e.ns for e in effects if isinstance(e, Spend))
            spent.append(ns - getattr(message, "ns", 0))

    @property
    def metrics(self) -> Metrics:
        """Return the metrics of the run."""
        return self.results.metrics()


def run(
    profile: Profile,
    threads: Threads,
    *,
    preset: str,
    invalidate: Invalidate = Invalidate.EAGER_IPI,
    sockets: int = 1,
    domains: int = 1,
) -> Watch:
    """Run threads of one process to their end, on as many cores as they need.

    Raises:
        RuntimeError: the run did not end, so its figures mean nothing.
    """
    cores = 1 + max(core for core, _ in threads)
    rows = [
        {"name": f"t{i}", "core": core, "run": program, "initial": not i}
        for i, (core, program) in enumerate(threads)
    ]
    machine = {"cores": cores, "sockets": sockets, "domains": domains, "kernel": "linux"}
    policy = {"preset": preset, "invalidate": invalidate}
    data = {"machine": machine, "policy": policy, "thread": rows}
    setup = prepare(parse(data, "calibration"), "calibration", profile=profile)
    watch = Watch()
    machines = build(setup.wiring, setup.settings, setup.guest)
    host = InlineHost(setup.wiring, machines, setup.latency(), observers=(watch,))
    host.start()
    host.run()
    outcome = host.outcome()
    if outcome.waiting or not outcome.complete:
        raise RuntimeError(f"a calibration run did not end: {outcome.waiting}")
    return watch


def _with_sharers(cores: int, program: Program, shared: str) -> Threads:
    """Return threads: the first runs `program` once one on each other core has loaded `shared`."""
    create = [f"create t{i}" for i in range(1, cores)]
    first = [f"map 0x100 {_MANY}", f"store 0x100 {_MANY}", *create, f"think {_SETTLED_NS}"]
    others = [(i, [f"load {shared}", f"think {4 * _SETTLED_NS}"]) for i in range(1, cores)]
    return [(0, [*first, *program]), *others]


def mprotect_ns(profile: Profile, cores: int) -> float:
    """Measure the time of an mprotect of one page that threads on `cores` cores use."""
    threads = _with_sharers(cores, ["protect 0x100 1 r"], "0x100")
    total = run(profile, threads, preset="unmap").metrics["operations"]["mprotect"]["total_ns"]
    return float(total or 0)


def shootdown_ns(profile: Profile, cores: int, sockets: int) -> float:
    """Measure how long the initiator waits for all other cores, for one page."""
    threads = _with_sharers(cores, ["protect 0x100 1 r"], "0x100")
    watch = run(profile, threads, preset="unmap", sockets=sockets, domains=sockets)
    return float(watch.metrics["shootdown_wait"]["total_ns"] or 0)


def _shot(profile: Profile, pages: int, invalidate: Invalidate = Invalidate.EAGER_IPI) -> Watch:
    threads = _with_sharers(2, [f"protect 0x100 {pages} r"], f"0x100 {pages}")
    return run(profile, threads, preset="unmap", invalidate=invalidate)


def invalidation_page_ns(profile: Profile) -> float:
    """Measure what each further page of a shootdown costs the interrupted core."""
    few, many = (_shot(profile, pages).spent[Ipi][0] for pages in (_FEW, _MANY))
    return (many - few) / (_MANY - _FEW)


def shootdown_page_ns(profile: Profile) -> float:
    """Measure what each further page of an mprotect costs both cores together."""
    found = []
    for pages in (_FEW, _MANY):
        watch = _shot(profile, pages)
        call = watch.metrics["operations"]["mprotect"]["total_ns"] or 0
        found.append(call + watch.spent[Ipi][0])
    return (found[1] - found[0]) / (_MANY - _FEW)


def fixed_in_pages(profile: Profile, invalidate: Invalidate) -> float:
    """Measure the fixed cost of a shootdown, in further pages."""
    few, many = (_shot(profile, pages, invalidate).shootdowns[0] for pages in (_FEW, _MANY))
    page_ns = (many - few) / (_MANY - _FEW)
    return few / page_ns - _FEW if page_ns > 0 else math.inf


def fault_ns(profile: Profile) -> float:
    """Measure a zero-fill fault, from the failed walk to the new entry."""
    watch = run(profile, [(0, [f"map 0x100 {_MANY}", f"store 0x100 {_MANY}"])], preset="unmap")
    return float(watch.metrics["fault_latency"]["mean_ns"] or 0)


def zap_page_ns(profile: Profile) -> float:
    """Measure what each further page of a discard takes, without the core's own flush."""
    found = []
    for pages in (_FEW, _MANY):
        program = [f"map 0x100 {pages}", f"store 0x100 {pages}", f"dontneed 0x100 {pages}"]
        watch = run(profile, [(0, program)], preset="dontneed-linux")
        call = watch.metrics["operations"]["advise_dontneed"]["total_ns"] or 0
        found.append(call - watch.spent[Shoot][0])
    return (found[1] - found[0]) / (_MANY - _FEW)


def zero_page_ns(profile: Profile) -> float:
    """Measure what a core spends on zeroing the page of a fault."""
    watch = run(profile, [(0, ["map 0x100 1", "store 0x100 1"])], preset="unmap")
    return float(watch.spent[ZeroFrames][0])


def discards_per_ms(
    profile: Profile, threads: int, invalidate: Invalidate = Invalidate.EAGER_IPI
) -> float:
    """Measure the throughput of will-it-scale's tlb_flush2: store, discard, load, page by page.

    Each thread has its own pages and its own core; eight cores are a domain. Discards are counted
    from when all threads have done one until the first thread ends.
    """
    rows = []
    for i in range(threads):
        first = 0x1000 * (1 + i)
        create = [f"create t{one}" for one in range(1, threads)] if not i else []
        body: Program = []
        for page in range(first, first + _ROUNDS):
            body += [f"store {page}", f"dontneed {page} 1", f"load {page}"]
        rows.append((i, [*create, f"map {first} {_ROUNDS}", *body]))
    watch = run(
        profile,
        rows,
        preset="dontneed-linux",
        invalidate=invalidate,
        domains=max(1, threads // 8),
    )
    ends = watch.discards.values()
    start, end = max(times[0] for times in ends), min(times[-1] for times in ends)
    done = sum(start < when <= end for times in ends for when in times)
    return done * 1e6 / (end - start)
