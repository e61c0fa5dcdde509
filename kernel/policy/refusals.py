"""Which combinations of a policy's keys make no sense, and why."""

from collections.abc import Callable

from kernel.policy.keys import (
    AdviceKind,
    Claim,
    CommitChecks,
    ForkHole,
    Grant,
    HoleAccess,
    HoleRecord,
    Invalidate,
    NoAccess,
    NotStarted,
    Policy,
    Regrant,
    Rogue,
    ShadowAnon,
    TrackClean,
    Zeroing,
    defers,
)


def _waits_for_flush(p: Policy) -> bool:
    return p.hole_state is HoleRecord.MAP_ENTRY and not defers(p)


#: (the combination, why not)
_REFUSED: tuple[tuple[Callable[[Policy], bool], str], ...] = (
    (
        lambda p: p.hole_access is HoleAccess.FATAL and p.rogue is not Rogue.STAY_HOLE,
        (
            "rogue={p.rogue} says what becomes of a page that is touched in a hole, but with "
            "hole_access=fatal no touch survives: set hole_access=permissive"
        ),
    ),
    (
        lambda p: (
            p.zero_not_started is NotStarted.ZERO_THEN_REPERMIT and p.invalidate is Invalidate.NONE
        ),
        (
            "zero_not_started=zero-then-repermit is about a ZERO that meets an outstanding "
            "shootdown, and invalidate=none has none"
        ),
    ),
    (
        lambda p: p.hole_access is HoleAccess.FATAL and p.hole_state is HoleRecord.PAGE_FLAG,
        (
            "hole_access=fatal needs hole_state=map-entry or range-list: a page flag keeps no "
            "record of an address whose page is gone, so such an access cannot be told from a "
            "first touch"
        ),
    ),
    (
        lambda p: p.no_access is NoAccess.NONE and p.invalidate is not Invalidate.NONE,
        (
            "no_access=none leaves the page tables as they are, so there is nothing to "
            "invalidate: set invalidate=none (and hole_access=permissive, as nothing stops an "
            "access then)"
        ),
    ),
    (
        lambda p: p.no_access is not NoAccess.NONE and p.invalidate is Invalidate.NONE,
        (
            "no_access={p.no_access} with invalidate=none takes access away from the page "
            "table but never from the TLBs: no core can know what it may still use"
        ),
    ),
    (
        lambda p: p.zero_not_started is NotStarted.ZERO_THEN_REPERMIT and _waits_for_flush(p),
        (
            "zero_not_started=zero-then-repermit has no case with hole_state=map-entry and "
            "invalidate={p.invalidate}: HOLE holds the map write lock until its shootdown is "
            "complete"
        ),
    ),
    (
        lambda p: p.regrant is not Regrant.FAULT and p.no_access is not NoAccess.KEEP_PTE,
        (
            "regrant={p.regrant} is about entries that stayed without access, and "
            "no_access={p.no_access} leaves none: set no_access=keep-pte"
        ),
    ),
    (
        lambda p: p.regrant is not Regrant.FAULT and p.grant is Grant.LAZY,
        (
            "regrant={p.regrant} tells cores about entries that ZERO has opened, and grant=lazy "
            "opens none: set grant=eager"
        ),
    ),
    (
        lambda p: p.fork_hole is not ForkHole.COW_SHARE and p.hole_state is HoleRecord.PAGE_FLAG,
        (
            "fork_hole={p.fork_hole} is about the range of a hole, and hole_state=page-flag "
            "records none: set fork_hole=cow-share"
        ),
    ),
    (
        lambda p: p.claim is Claim.DEKKER and p.zeroing is not Zeroing.BACKGROUND_STEAL,
        (
            "claim=dekker is about a ZERO that takes pages from the zeroing thread, and with "
            "zeroing={p.zeroing} it takes none: set zeroing=background-steal"
        ),
    ),
    (
        lambda p: p.track_clean is TrackClean.ON and defers(p),
        (
            "track_clean=on needs every core's dirty bits flushed before the zeroing, and "
            "invalidate={p.invalidate} does not wait for that: set invalidate=eager-ipi"
        ),
    ),
    (
        lambda p: p.shadow_anon is ShadowAnon.IGNORE,
        (
            "shadow_anon=ignore would have ZERO return 0 for memory that it left alone: use punch "
            "(or rewind, which shows the bug); ignore is for advice=free"
        ),
    ),
)


def _commit_checks(p: Policy) -> list[str]:
    if p.commit_checks is CommitChecks.ON and p.advice is AdviceKind.UNMAP:
        return [
            (
                "commit_checks=on takes access away from memory that advice=unmap has unmapped: "
                "set commit_checks=off"
            )
        ]
    return []


def refusals(policy: Policy) -> list[str]:
    """List why this combination makes no sense; empty if it does.

    Keys that have no meaning under the advice are ignored: one setting may serve a comparison of
    several policies.
    """
    found = _commit_checks(policy)
    if policy.advice is AdviceKind.HOLE_ZERO:
        found += [why.format(p=policy) for wrong, why in _REFUSED if wrong(policy)]
    return found
