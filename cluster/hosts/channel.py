"""Channels: what keeps messages in order, as every host, search and trace names it.

A channel is (dst, src or TIMER, lane): first in, first out; what is on different channels may
overtake. A receiver's timers are channels of their own, with TIMER for a source, so that a timer
and a message to oneself on the same lane are never taken for one another.
"""

from collections.abc import Iterable
from functools import cache

#: in place of the sender where a receiver's own timer comes
TIMER = -1

#: (dst, src or TIMER, lane)
Channel = tuple[int, int, int]


def sender(channel: Channel) -> int:
    """Return the actor that sent what is on a channel; of a timer the receiver itself."""
    dst, src, _ = channel
    return dst if src == TIMER else src


def in_fixed_order(channels: Iterable[Channel]) -> list[Channel]:
    """Sort channels by sender, lane and receiver, timers after messages.

    Searches take what is enabled in this order, so what they find first does not depend on how
    a state was reached.
    """
    return sorted(channels, key=_place)


@cache
def _place(channel: Channel) -> tuple[int, int, int, bool]:
    dst, src, lane = channel
    return (dst, lane, dst, True) if src == TIMER else (src, lane, dst, False)
