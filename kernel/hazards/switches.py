"""Hazards: steps that a variant could leave out or reorder, as switches.

All are off in a correct machine; a run with one on must be caught, by its property. What each does
is in `catalogue.py`.
"""

from typing import Final


class Hazard:
    """Switches as plain ints, a bit each: machines ask for them at every step.

    A machine holds the union of those that are on. (A member of an IntFlag costs thirty times as
    much to ask for.)
    """

    NONE: Final = 0
    FREE_BEFORE_ACKS: Final = 1 << 0
    ACK_OVERTAKES_STORES: Final = 1 << 1
    ACK_BEFORE_FLUSH: Final = 1 << 2
    LOST_ACK: Final = 1 << 3
    WALK_SURVIVES_FLUSH: Final = 1 << 4
    GENERATION_AFTER_MASK: Final = 1 << 5
    ZERO_AFTER_GRANT: Final = 1 << 6
    STEAL_WITHOUT_WAITING: Final = 1 << 7
    ZEROER_BEFORE_FLUSH: Final = 1 << 8
    KNOWN_ZERO_WHILE_WRITABLE: Final = 1 << 9
    FOREIGN_FRAME: Final = 1 << 10
    RESIDENT_SET_DRIFT: Final = 1 << 11
    NO_RESTART_AFTER_BUSY: Final = 1 << 12
    DAEMON_SKIPS_RECHECK: Final = 1 << 13
    HOOK_AFTER_EARLY_RETURN: Final = 1 << 14
    TIME_FOR_ACKNOWLEDGEMENT: Final = 1 << 15
    USER_BIT_ONLY: Final = 1 << 16
    CLAIM_WITHOUT_FENCE: Final = 1 << 17
    PAGE_OUT_BEFORE_ACKS: Final = 1 << 18
    ZERO_KEEPS_SWAP: Final = 1 << 19
    FREE_KEEPS_SWAP: Final = 1 << 20
    HOLE_TO_SWAP: Final = 1 << 21
    SLOT_FREED_IN_USE: Final = 1 << 22
    COLLAPSE_IGNORES_SWAP: Final = 1 << 23
    IGNORES_UNFLUSHED: Final = 1 << 24
    UNPIN_BEFORE_DMA_DONE: Final = 1 << 25
    HOLE_IGNORES_PINS: Final = 1 << 26
    DMA_LEAVES_CLEAN: Final = 1 << 27
    PINS_SEEN_AFTER_UNMAP: Final = 1 << 28
    SECOND_DOES_NOT_WAIT: Final = 1 << 29
    MOVE_BEFORE_FLUSH: Final = 1 << 30
    REPLACE_WITHOUT_FLUSH: Final = 1 << 31
    SWITCH_TAKES_INTERRUPTS: Final = 1 << 32
    GENERATION_BEFORE_BIT: Final = 1 << 33
    COLLAPSE_TAKES_BUSY: Final = 1 << 34
    PIN_FORGETS_WRITE: Final = 1 << 35
    FREE_CLEARS_WIRED: Final = 1 << 36
    CHECK_COMES_LATE: Final = 1 << 37
    ZERO_KEEPS_MARK: Final = 1 << 38
    PROTECT_WITHOUT_FLUSH: Final = 1 << 39
    EXIT_LEAVES_SIBLINGS: Final = 1 << 40
    FLUSH_CLEARS_MARK: Final = 1 << 41
    BROADCAST_WITHOUT_WAITING: Final = 1 << 42
    SWITCH_KEEPS_ENTRIES: Final = 1 << 43
    FAULT_WITHOUT_FENCE: Final = 1 << 44
    GUARD_WITHOUT_RESTART: Final = 1 << 45
