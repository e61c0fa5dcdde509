"""What a policy promises.

The properties are those of `cluster/properties`. A broken promise is a violation; a broken property
that the policy does not promise is reported as "not promised, broken N times".
"""

from enum import StrEnum

from kernel.policy.keys import (
    AdviceKind,
    HoleAccess,
    Invalidate,
    NotStarted,
    Policy,
    ShadowAnon,
    concerned,
    zero_may_skip,
)


class Property(StrEnum):
    """Names of the properties, as in violations and summaries."""

    #: a load after ZERO has returned gives 0, or a store through a translation that was sent after
    #: ZERO had arrived
    ZERO_STRONG = "zero-strong"
    #: a load after ZERO (or a MADV_DONTNEED that discards) has returned gives 0, or a store made
    #: after the call
    ZERO_WEAK = "zero-weak"
    KEEP = "keep"
    ISOLATE = "isolate"
    #: no core may use an entry past the deadlines of `cluster/properties/deadlines.py`
    TRANSLATION = "translation"
    #: a page believed clean and zero is zero
    CLEAN = "clean"
    ACCOUNT = "account"
    FATAL = "fatal"
    PROGRESS = "progress"
    #: a child sees memory as it was at the fork; what was overwritten does not come back
    FORK = "fork"
    #: no page of a hole is written to swap
    PAGE_OUT = "page-out"
    #: access ends when the call that takes it away returns
    ACCESS = "access"
    #: memory is usable after a ZERO, an mmap or an mprotect that succeeded
    USABLE = "usable"
    #: a call that failed changed nothing that it must not
    UNCHANGED = "unchanged"
    #: locked memory stays, whatever is advised
    LOCKED = "locked"
    #: exit_group and execve end every thread of the process
    ENDED = "ended"


ALWAYS = frozenset(
    {
        Property.KEEP,
        Property.ISOLATE,
        Property.TRANSLATION,
        Property.CLEAN,
        Property.ACCOUNT,
        Property.PROGRESS,
        Property.FORK,
        Property.PAGE_OUT,
        Property.ACCESS,
        Property.USABLE,
        Property.UNCHANGED,
        Property.LOCKED,
        Property.ENDED,
    }
)


def promises(policy: Policy) -> frozenset[Property]:
    """Return the properties that a correct machine under `policy` keeps."""
    kept = set(ALWAYS)
    rewinds = policy.shadow_anon is ShadowAnon.REWIND and "shadow_anon" in concerned(policy)
    if rewinds:
        kept.remove(Property.FORK)
        return frozenset(kept)  # what shows again is neither zero nor a later store
    if policy.advice in (AdviceKind.HOLE_ZERO, AdviceKind.DONTNEED_LINUX):
        kept.add(Property.ZERO_WEAK)
    if policy.advice is not AdviceKind.HOLE_ZERO:
        return frozenset(kept)
    flushed_first = policy.zero_not_started is NotStarted.FLUSH_THEN_ZERO
    closed = policy.hole_access is HoleAccess.FATAL
    if zero_may_skip(policy) and flushed_first and closed:
        kept.add(Property.ZERO_STRONG)
    if closed and policy.invalidate is not Invalidate.NONE:
        kept.add(Property.FATAL)
    return frozenset(kept)
