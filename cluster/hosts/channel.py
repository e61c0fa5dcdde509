"""Channels: what keeps messages in order, as every host without simulated time names it."""

#: in place of the sender where a receiver's own timer comes: a timer and a message to oneself on
#: the same lane are never taken for one another
TIMER = -1

#: (dst, src or TIMER, lane): first in, first out; what is on different channels may overtake
Channel = tuple[int, int, int]
