"""Messages for readers: all classes by tag, and a line of text for each message."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any

from actors.message import LoadItem, Message, PageKey, StoreItem
from actors.operation import OpKind, OpState
from actors.protocol.daemons import DAEMONS
from actors.protocol.devices import DEVICES
from actors.protocol.frames import FRAMES
from actors.protocol.guest import GUEST
from actors.protocol.kernel import KERNEL
from actors.protocol.swap import SWAP
from kernel import pte as pte_bits
from kernel.claim_word import Side, word_text
from kernel.errors import Errno, FaultCause, SegvCode
from kernel.page_queue import Queue
from kernel.stamp import stamp_text
from kernel.tlb import ABSENT
from kernel.units import CELL_MASK, CELL_SHIFT
from kernel.vm_object import OBJECT_SHIFT

#: number -> name: of an actor, or of a lane
Name = Callable[[int], str]


def message_classes() -> tuple[type[Message], ...]:
    """Return every message class, in the order of their tags."""
    found = (*DAEMONS, *DEVICES, *FRAMES, *GUEST, *KERNEL, *SWAP)
    return tuple(sorted(found, key=lambda c: c.__struct_config__.tag))  # type: ignore[arg-type,return-value]


def listed(parts: Iterable[str]) -> str:
    """Join with commas; `none` if there is nothing."""
    return ",".join(parts) or "none"


def pte_text(pte: int) -> str:
    """Render a page-table entry: its frame, and each of the bits PWADU as a letter or a dash."""
    if pte == ABSENT:
        return "absent"
    return f"f{pte_bits.pfn_of(pte):x}:{pte_bits.bits_text(pte)}" if pte else "none"


def _names(kind: type[IntEnum]) -> Callable[[int], str]:
    """Render numbers by name; one without a name (in a trace that is none of ours) as it is."""
    known = {int(member): member.name for member in kind}
    return lambda value: known.get(value, str(value))


class MessageText:
    """Renders messages with the names of one run."""

    def __init__(self, actor: Name, lane: Name, page: Callable[[int], str] = hex) -> None:
        """Take the names of actors and lanes; `page` renders a virtual page number."""
        self._actor = actor
        self._lane = lane
        self._page = page
        self._fields: dict[str, Callable[[Any], str]] = {
            "va": hex,
            "length": hex,
            "vpn": page,
            "vpns": lambda v: listed(map(page, v)),
            "about": self._range,
            "pte": pte_text,
            "kind": _names(OpKind),
            "why": _names(OpState),
            "queue": _names(Queue),
            "lengths": lambda v: listed(map(str, v)),
            "cause": _names(FaultCause),
            "code": _names(SegvCode),
            "error": _names(Errno),
            "targets": lambda v: listed(map(actor, v)),
            "stamps": lambda v: listed(map(self.stamp, v)),
            "items": self.items,
            "thief": lane,
            "thread": lane,
            "started": lambda v: listed(map(lane, v)),
            "keys": lambda v: listed(map(self.key, v)),
            "pages": self._pages,
            "frames": lambda v: listed(f"f{pfn:x}:{done}" for pfn, done in v),
            "pfns": lambda v: listed(f"f{pfn:x}" for pfn in v),
            "pfn": lambda v: f"f{v:x}",
            "slots": lambda v: listed(map(str, v)),
            "bases": lambda v: listed(map(self.stamp, v)),
            "cells": self._granules,
            "contents": self._contents,
            "claims": lambda v: listed(f"{self.key(key)}:{pfn:x}" for key, pfn, _ in v),
            "side": _names(Side),
            "words": lambda v: listed(f"f{pfn:x}={word_text(value)}" for pfn, value in v),
            "values": lambda v: listed(map(word_text, v)),
            "name": self.stamp,
            "vm": actor,
        }

    def message(self, message: Message, left_out: frozenset[str] = frozenset({"op"})) -> str:
        """Render a message: its class, then its fields by name."""
        shown = ((n, getattr(message, n)) for n in message.__struct_fields__ if n not in left_out)
        fields = (
            f"{name}={self._fields.get(name, str)(value)}"
            for name, value in shown
            if name != "about" or value[0] < value[1]
        )
        return " ".join([type(message).__name__, *fields])

    def _range(self, about: tuple[int, int]) -> str:
        return f"{self._page(about[0])}-{self._page(about[1])}"

    def stamp(self, value: int) -> str:
        """Render a version of contents: `0`, `junk`, or the store that made it."""
        return stamp_text(value, self._lane)

    def items(self, items: tuple[StoreItem | LoadItem, ...]) -> str:
        """Render granules, as page or page.granule, with their frames and what is stored."""
        return listed(
            f"{self._cell(i[0])}@f{i[1]:x}" + (f"={self.stamp(i[2])}" if len(i) > 2 else "")
            for i in items
        )

    def _cell(self, value: int) -> str:
        granule = value & CELL_MASK
        return self._page(value >> CELL_SHIFT) + (f".{granule}" if granule else "")

    def key(self, key: PageKey) -> str:
        """Render a page's identity: the object (the n-th that a lane made) and the index in it."""
        oid, index = key
        if oid < 0:
            return f"file{-1 - oid}.{index}"
        return f"o{oid & (1 << OBJECT_SHIFT) - 1}@{self._lane((oid >> OBJECT_SHIFT) - 1)}.{index}"

    def _granules(self, cells: tuple[tuple[int, int], ...]) -> str:
        return listed(f"{granule}={self.stamp(value)}" for granule, value in cells)

    def _contents(self, value: int | tuple[tuple[Any, ...], ...]) -> str:
        """Render what a page of a file holds, or pages that are written to swap."""
        if isinstance(value, int):
            return self.stamp(value)
        return listed(self._slot(*one) for one in value)

    def _slot(self, slot: int, bases: tuple[int, ...], cells: tuple[tuple[int, int], ...]) -> str:
        return f"{slot}:{'|'.join(map(self.stamp, bases))} {self._granules(cells)}"

    def _pages(self, pages: tuple[tuple[PageKey, int], ...]) -> str:
        # Taken: the frame; Ceded: chunks done
        return listed(f"{self.key(key)}:{number:x}" for key, number in pages)
