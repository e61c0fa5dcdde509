"""How far a call comes in its range, and which error says so: by kernel, as manual pages tell it.

freebsd   gaps, and what a call is not for, are passed over: 0
linux     advice is given to all that is mapped: ENOMEM; mprotect, mlock, munlock stop at a gap
xnu       HOLE, ZERO, REUSE and minherit of a gap do nothing, other advice does what is mapped:
EINVAL; mprotect, mlock and munlock do nothing: ENOMEM
"""

from typing import NamedTuple

from tests.reference.memory import Page, Process
from tests.reference.rules import Rules

EPERM, ENOMEM, EACCES, EFAULT, EBUSY, EINVAL = 1, 12, 13, 14, 16, 22
_NOTHING, _BEFORE, _MAPPED = range(3)
_HOLES = frozenset({"hole", "zero"})
INHERITS = frozenset({"dontfork", "dofork", "wipeonfork", "keeponfork"})
_GAP = {"freebsd": (0, _MAPPED), "linux": (ENOMEM, _MAPPED), "xnu": (EINVAL, _MAPPED)}
_GAP_OF: dict[tuple[str, str], tuple[int, int]] = {
    **{("freebsd", verb): (ENOMEM, _NOTHING) for verb in ("lock", "unlock", "incore")},
    **{("linux", verb): (ENOMEM, _BEFORE) for verb in ("lock", "unlock", "protect")},
    ("linux", "incore"): (ENOMEM, _NOTHING),
    **{("xnu", verb): (EINVAL, _NOTHING) for verb in (*_HOLES, "madv-reuse", *INHERITS)},
    **{("xnu", verb): (ENOMEM, _NOTHING) for verb in ("lock", "unlock", "protect")},
    ("xnu", "incore"): (0, _MAPPED),
}
#: advice that is not for what mlock holds
_NOT_FOR_LOCKED = _HOLES | {"free", "dontneed", "cold", "pageout", "remove"}


class Reached(NamedTuple):
    """The part of a range that a call comes to."""

    error: int
    #: what it is done to
    pages: list[Page]
    #: what it passes over, as it is not for it
    passed: list[Page]


def reach(rules: Rules, process: Process, span: range, verb: str) -> Reached:
    """Say how far a call comes, and with which error it ends."""
    error = 0
    if process.has_gap(span):
        error, done = _GAP_OF.get((rules.errors, verb)) or _GAP[rules.errors]
        span = (range(0), process.before_gap(span), span)[done]
    pages, passed = list[Page](), list[Page]()
    for _, page in process.mapped(span):
        refused = _refused(rules, page, verb)
        if refused:
            return Reached(refused, pages, passed)
        leaves = (page.locked and verb in _NOT_FOR_LOCKED) or (verb == "remove" and not page.shared)
        (passed if leaves else pages).append(page)
    return Reached(error, pages, passed)


def _refused(rules: Rules, page: Page, verb: str) -> int:
    """Return the error with which a call refuses a page, or 0."""
    zeroes = verb == "remove" or (verb == "dontneed" and not rules.keeps_dontneed)
    if page.locked and zeroes:
        return EINVAL
    if rules.errors == "freebsd":
        return 0
    if verb in _HOLES and page.private_file:
        return EINVAL
    if rules.errors == "xnu":
        return EPERM if verb in _HOLES and page.prot != "rw" else 0
    if page.locked and verb in _NOT_FOR_LOCKED:
        return EINVAL
    if verb == "remove" and not page.shared:
        return EACCES if page.private_file else EINVAL
    lazy = verb in ("free", "wipeonfork") and (page.shared or page.private_file)
    return EINVAL if lazy else 0
