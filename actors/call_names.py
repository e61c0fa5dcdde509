"""What programs call an operation of the kernel, under the advice that is studied.

Machines know one operation for what issue 1318 calls MADV_FREE_HOLE and XNU MADV_FREE_REUSABLE;
whoever prints a call for a reader prints the name that it has there.
"""

from actors.operation import OpKind
from kernel.policy.keys import AdviceKind

_NAMES = {
    OpKind.HOLE: "MADV_FREE_HOLE",
    OpKind.ZERO: "MADV_FREE_ZERO",
    OpKind.REUSE: "MADV_FREE_REUSE",
    OpKind.ADVISE_FREE: "MADV_FREE",
    OpKind.ADVISE_DONTNEED: "MADV_DONTNEED",
}
#: Source: XNU mman.h
_XNU = {OpKind.HOLE: "MADV_FREE_REUSABLE", OpKind.ZERO: "MADV_ZERO"}


def call_name(kind: int, advice: AdviceKind) -> str:
    """Return the name of a system call; of one without an advice's name, the operation's."""
    one = OpKind(kind)
    name = _XNU.get(one) if advice is AdviceKind.REUSABLE_REUSE else None
    return name or _NAMES.get(one) or one.name.lower().replace("_", " ")
