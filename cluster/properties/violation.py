"""A broken property: which, where, and by whom."""

import msgspec


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; `promised`: whether the policy had promised that it would not happen."""

    property: str
    promised: bool
    #: one sentence for the reader
    text: str
    asid: int
    #: page, or -1
    vpn: int
    #: lanes of the operations concerned, and what each is: thread and latest system call
    ops: tuple[int, ...]
    operations: tuple[str, ...]
    #: number of the delivery at which it showed, from 1, its receiver, its simulated time (ns)
    delivery: int
    actor: int
    when: int
