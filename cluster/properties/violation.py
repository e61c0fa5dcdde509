"""A broken property: which, where, and by whom."""

import msgspec


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; `promised` says whether the policy had promised otherwise."""

    property: str
    promised: bool
    #: one sentence for the reader
    text: str
    asid: int
    #: page, or -1
    vpn: int
    #: lanes of the operations concerned
    ops: tuple[int, ...]
    #: number of the delivery at which it showed, from 1, and its receiver
    delivery: int
    actor: int
