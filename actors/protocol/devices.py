"""Devices: transfers to and from pinned frames."""

from actors.message import LoadItem, Message, StoreItem


class StartTransfer(Message, frozen=True, tag=88):
    """core <- vm: the pages are pinned in these frames: hand the transfer to the device."""

    pfns: tuple[int, ...]
    ns: int


class Transfer(Message, frozen=True, tag=89):
    """device <- core: move `count` granules, `stride` bytes apart from `offset` on in `pfns`.

    `store`: to memory, else from it. `name` is the stamp of its first store; when it is done the
    pins of `pfns` go back to `vm`.
    """

    vm: int
    name: int
    store: bool
    offset: int
    count: int
    stride: int
    pfns: tuple[int, ...]


class BeginTransfer(Message, frozen=True, tag=90):
    """device <- device (timer): the first bytes are there."""


class DmaStore(Message, frozen=True, tag=91):
    """memory <- device: store these granules, for transfer `name`; the cell is one of the frame."""

    name: int
    items: tuple[StoreItem, ...]


class DmaLoad(Message, frozen=True, tag=92):
    """memory <- device: read these granules, for transfer `name`; the cell is one of the frame."""

    name: int
    items: tuple[LoadItem, ...]


class Unpin(Message, frozen=True, tag=93):
    """vm <- device: transfer `name` needs these frames no more; `stored`: it stored to them."""

    name: int
    stored: bool
    pfns: tuple[int, ...]


class Unpinned(Message, frozen=True, tag=94):
    """device <- vm: they are not pinned for it any more."""


class TransferDone(Message, frozen=True, tag=95):
    """core <- device: interrupt: transfer `name` of the thread is complete."""

    name: int


#: all messages of the family
DEVICES: tuple[type[Message], ...] = (
    StartTransfer, Transfer, BeginTransfer, DmaStore, DmaLoad, Unpin, Unpinned,
    TransferDone,
)  # fmt: skip
