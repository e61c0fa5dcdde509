"""What is given before a run: nothing of it changes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from actors.call_names import call_name
from actors.operation import OpKind
from cluster.properties.deadlines import ZEROED
from cluster.scenario.setup import Setup
from kernel.policy.keys import HoleAccess, NoAccess, NotStarted, Policy, defers
from kernel.policy.promises import Property, promises

#: kinds of calls that may discard contents
_DISCARDS = frozenset(
    {
        OpKind.ADVISE_FREE,
        OpKind.ADVISE_DONTNEED,
        OpKind.ADVISE_REMOVE,
        OpKind.GUARD_INSTALL,
        OpKind.HOLE,
        OpKind.ZERO,
    }
)


class Given(NamedTuple):
    """Of the scenario, what verdicts depend on."""

    #: by actor
    names: tuple[str, ...]
    is_vm: tuple[bool, ...]
    cores: int
    #: the actors that are vms
    vms: tuple[int, ...]
    #: whether a delivery is one step: then resident sets are recounted after each
    fine: bool
    lane_name: Callable[[int], str]
    #: as programs call them under this policy's advice
    call_name: Callable[[int], str]
    promised: frozenset[Property]
    #: by thread and by address space: its address space, and its vm
    process_of: tuple[int, ...]
    vm_of: tuple[int, ...]
    #: chunks of a page that is copied
    chunks: int
    #: kinds of calls that may discard contents
    discards: frozenset[OpKind]
    #: whether a guest forks while other threads, or devices, store
    forks: bool
    #: frames that are zero for ever
    zero_pages: frozenset[int]
    policy: Policy
    #: nobody can use memory in a hole: what is granted is told by a new translation
    closed: bool
    #: a ZERO zeroes nothing that somebody may still store to
    flushes_first: bool
    #: invalidations are left to each core's next occasion
    defers: bool


def _is_closed(policy: Policy) -> bool:
    return policy.hole_access is HoleAccess.FATAL and policy.no_access is not NoAccess.NONE


def given_by(setup: Setup) -> Given:
    """Return what a scenario gives."""
    settings = setup.settings
    processes = len(settings.vm_of)
    zero_pages = frozenset(settings.zero_page(core) for core in range(settings.cores)) - {-1}
    kept = {OpKind.ADVISE_DONTNEED} if settings.keeps_dontneed else frozenset[OpKind]()
    return Given(
        names=setup.wiring.names,
        is_vm=tuple(role == "vm" for role in setup.wiring.roles),
        cores=settings.cores,
        vms=setup.wiring.vms,
        fine=settings.fine,
        lane_name=setup.lane_name,
        call_name=partial(call_name, advice=settings.policy.advice),
        promised=promises(settings.policy) | setup.also_promised,
        process_of=settings.process_of,
        vm_of=settings.vm_of,
        chunks=settings.chunks,
        discards=_DISCARDS - kept,
        forks=processes > 1 and (processes < len(settings.process_of) or bool(settings.devices)),
        zero_pages=zero_pages,
        policy=settings.policy,
        closed=_is_closed(settings.policy),
        flushes_first=ZEROED.under(settings.policy)
        and settings.policy.zero_not_started is NotStarted.FLUSH_THEN_ZERO,
        defers=defers(settings.policy),
    )
