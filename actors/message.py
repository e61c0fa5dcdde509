"""What every message is, and the shapes of addresses in messages."""

import msgspec

#: (cell, pfn, stamp) of a store, (cell, pfn) of a load; `cell` is virtual, `pfn` what the TLB said
StoreItem = tuple[int, int, int]
LoadItem = tuple[int, int]
#: (object id, page index) of a vm_page
PageKey = tuple[int, int]
#: in place of a slot of swap: the page has none yet, or swap is full
NO_SLOT = -1


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages."""

    op: int
