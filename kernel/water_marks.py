"""How many free frames a memory domain keeps: FreeBSD's water marks.

    below `reserved`      only kernel threads get a frame; others sleep
    `minimum` and above   sleepers are woken
    below `wakeup`        the page daemon is woken
    up to `target`        it reclaims

Source: FreeBSD vm_pageout_init_domain; vm_domain_allocate, vm_domain_clear.
"""

import msgspec

#: FreeBSD's constants: vm_pageout_page_count; 2 * MAXBSIZE in pages and the interrupt reserve
_PAGE_OUT_CLUSTER = 32
_PAGE_OUT_MIN = 34


class WaterMarks(msgspec.Struct, frozen=True, kw_only=True):
    """Marks of one domain, in frames; `inactive` is how many inactive pages it aims for."""

    reserved: int
    minimum: int
    wakeup: int
    target: int
    inactive: int


def water_marks(frames: int) -> WaterMarks:
    """Return FreeBSD's marks for a domain of `frames` frames.

    Each of the two constants is capped at a 64th of the frames: from 8.5 MiB on they are exact, and
    even a machine of a few frames has some to use.
    """
    share = max(1, frames // 200)
    cap = frames // 64
    reserved = min(_PAGE_OUT_CLUSTER, cap) + min(_PAGE_OUT_MIN, cap) + frames // 768
    minimum = share + reserved
    target = min(4 * share + reserved, max(minimum, frames // 2))
    return WaterMarks(
        reserved=reserved,
        minimum=minimum,
        wakeup=max(1, target * 9 // 10),
        target=target,
        inactive=min(target * 3 // 2, frames // 3),
    )
