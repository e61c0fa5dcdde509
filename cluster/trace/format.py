"""Trace files (`.trace`), version 1: what writer and reader agree on, and how a run is rebuilt.

    magic    8 bytes
    block    BLOCK_HEAD, then one zstd frame; the digest is of the tag and the compressed bytes
             HEAD  the first: one msgpack map (`Header`)
             BODY  any number: whole msgpack records, each an array `[kind, ...]`
             LAST  one msgpack map (`End`); nothing follows it

Integers are little-endian. A block is whole or missing: a run that was killed leaves a readable
prefix, without LAST. Kinds of records:

    [1, dst, data]               full: a delivery; data as `RunDigest.add` returns it
    [2, dst, data]               full, live: a timer's delivery
    [3, dst, [src, lane, n..]]   order, live: n deliveries of that channel in a row; src -1: timers
    [4, dst, deliveries, digest] live: the receiver's digest after so many deliveries to it
    [5, deliveries, digest]      inline: the run's digest after so many deliveries

Records of one receiver are in its order of delivery. Those of an inline run are in the run's order;
those of a live run are in the order in which they were collected, so an effect may precede its
cause.
"""

import struct
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from actors.guest.program import Guest
from actors.lanes import lane_name, lane_named
from cluster.hosts.codec import ENCODER
from cluster.hosts.host import Outcome
from cluster.hosts.model import MODEL, release
from cluster.input_error import InputError
from cluster.scenario.scenario import Scenario
from cluster.scenario.setup import Setup, prepare
from cluster.scenario.shipped import shipped
from cluster.workload.reader import Workload
from kernel.costs import Profile

MAGIC = b"\x89HZT\r\n\x1a\n"
SCHEMA = "holezero-trace"
VERSION = 1
SUFFIX = ".trace"

#: tag, raw bytes, stored bytes, `block_digest`
BLOCK_HEAD = struct.Struct("<4sII16s")
HEAD_TAG = b"HEAD"
BODY_TAG = b"BODY"
LAST_TAG = b"LAST"

#: a block is closed when it holds this much; a single record may exceed it, up to the maximum
BLOCK_BYTES = 64 * 1024
MAX_BLOCK_BYTES = 32 * 1024 * 1024
MAX_HEADER_BYTES = 4 * 1024 * 1024

#: deliveries (in all, or to one receiver) between checkpoints
CHECKPOINT_EVERY = 4096
#: most names of guest threads in a header
_THREAD_NAMES_MAX = 4096


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first record: everything that is needed to replay the run."""

    schema: str = SCHEMA
    version: int = VERSION
    model: int = MODEL
    holezero: str
    #: `inline` (simulated time), `ray-free` (what really happened) or `explored` (as chosen)
    engine: str
    #: `full` or `order`
    kind: str
    scenario: dict[str, Any]
    preset: str
    #: the cost profile itself, as the scenario may name a file of another machine
    profile: Profile
    config_digest: bytes
    workload_digest: bytes
    seed: int
    actors: tuple[str, ...]
    threads: tuple[str, ...]

    @property
    def live(self) -> bool:
        """Say whether the order is not that of simulated time: `ray-free`, or `explored`."""
        return self.engine != "inline"

    def lane_name(self, lane: int) -> str:
        """Return the name of a lane: its guest thread, or its kernel thread."""
        return lane_name(lane, self.threads, self.actors)

    def lane_named(self, name: str) -> int:
        """Find a lane by name or number.

        Raises:
            InputError: there is none.
        """
        lane = lane_named(name, self.threads, self.actors)
        if lane is not None:
            return lane
        if name.isdigit():
            return int(name)
        known = ", ".join(self.threads[:20])
        raise InputError(
            f"no operation {name!r}: give a number, an actor, tlb.p0.0x1, or a thread ({known})"
        )

    def actor_named(self, name: str) -> int:
        """Find an actor by name.

        Raises:
            InputError: there is none.
        """
        if name not in self.actors:
            raise InputError(f"no actor {name!r}: this run has {', '.join(self.actors)}")
        return self.actors.index(name)


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The last record: how the run ended."""

    deliveries: int
    #: digest of all deliveries in the trace, hexadecimal
    digest: str
    simulated_ns: int = 0
    #: how the run was judged, in the words of whoever judged it
    verdict: str = ""
    #: quiescent: nothing was in flight and no timer armed
    complete: bool
    #: the rest was lost with an actor; this is the largest causally closed prefix
    cut: bool = False
    #: what machines raised on their last delivery, by actor
    failures: dict[str, str] = {}


class Delivery(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A delivery, in full."""

    dst: int
    data: bytes


class TimerDelivery(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A timer's delivery, in full."""

    dst: int
    data: bytes


class Order(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """Channels that a receiver took from, run-length encoded: src, lane, count, src, ..."""

    dst: int
    runs: tuple[int, ...]


class ReceiverCheckpoint(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """The digest of one receiver after its first `deliveries`."""

    dst: int
    deliveries: int
    digest: bytes


class RunCheckpoint(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """The combined digest after the first `deliveries` of the run."""

    deliveries: int
    digest: bytes


Record = Delivery | TimerDelivery | Order | ReceiverCheckpoint | RunCheckpoint


def block_digest(tag: bytes, stored: bytes) -> bytes:
    """Return the digest of a block, 16 bytes."""
    return blake2b(tag + stored, digest_size=16).digest()


def pack(records: Iterable[Record]) -> bytes:
    """Encode records as a block holds them."""
    return b"".join(map(ENCODER.encode, records))


def config_digest(setup: Setup) -> bytes:
    """Return the digest of all that the machines know besides the guest, and of the latencies."""
    data = ENCODER.encode((setup.settings, setup.profile, setup.wiring))
    return blake2b(data, digest_size=16).digest()


def header_of(setup: Setup, *, engine: str = "inline", kind: str = "order") -> Header:
    """Make the header of a run of `setup`.

    engine: `inline`, `ray-free` or `explored`. kind: `full` or `order`.
    """
    scenario = setup.scenario
    if scenario.workload.file:
        name = Path(scenario.workload.file).name
        table = msgspec.structs.replace(scenario.workload, file=name)
        scenario = msgspec.structs.replace(scenario, workload=table)
    builtins: dict[str, Any] = msgspec.to_builtins(scenario)
    policy = msgspec.to_builtins(setup.settings.policy)
    # every key: a preset that changes later does not change what was recorded
    builtins["policy"] = {"preset": setup.preset, **policy}
    return Header(
        holezero=release(),
        engine=engine,
        kind=kind,
        scenario=builtins,
        preset=setup.preset,
        profile=setup.profile,
        config_digest=config_digest(setup),
        workload_digest=setup.guest.digest,
        seed=scenario.run.seed,
        actors=setup.wiring.names,
        threads=tuple(t.name for t in setup.guest.threads[:_THREAD_NAMES_MAX]),
    )


def end_of(outcome: Outcome, *, verdict: str = "") -> End:
    """Make the last record of an inline run."""
    return End(
        deliveries=outcome.deliveries,
        digest=outcome.digest,
        simulated_ns=outcome.simulated_ns,
        verdict=verdict,
        complete=outcome.complete,
    )


def rebuild(header: Header, where: str, workload: Path | None = None) -> Setup:
    """Make everything that a host starts from, as it was when the trace was recorded.

    workload: the guest's file, if it had one that is neither shipped nor beside the trace.

    Raises:
        InputError: the scenario is impossible, or its workload is missing or a different one.
    """
    try:
        scenario = msgspec.convert(header.scenario, Scenario)
    except msgspec.ValidationError as e:
        raise InputError(f"{where}: its scenario is not one that this holezero knows: {e}") from e
    guest: Guest | None = None
    if scenario.workload.file:
        guest = find_workload(scenario.workload.file, where, workload)
    setup = prepare(scenario, where, guest, header.profile)
    if setup.guest.digest != header.workload_digest:
        raise InputError(
            f"{where}: was recorded with another guest (digest {header.workload_digest.hex()}) "
            f"than this one ({setup.guest.digest.hex()}): give the right file with --workload"
        )
    if setup.wiring.names != header.actors:
        raise InputError(f"{where}: this holezero wires other actors than it was recorded with")
    return setup


def find_workload(name: str, where: str, given: Path | None) -> Workload:
    """Open the workload that a trace names: `given`, beside the trace, or shipped.

    Raises:
        InputError: it is none of these, or not a workload.
    """
    name = Path(name).name
    if given is not None:
        return Workload.open(given)
    beside = Path(where).parent / name
    found = beside if beside.exists() else shipped("workloads", ".hzw").get(Path(name).stem)
    if found is None:
        raise InputError(
            f"{where}: needs the workload {name}, which is neither beside it nor shipped: "
            f"give it with --workload"
        )
    return Workload.open(found)
