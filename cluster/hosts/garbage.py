"""How often Python looks for garbage in cycles: runs and searches make none."""

import gc

#: objects made, less those gone, until it looks
_MADE_UNTIL_COLLECTED = 1_000_000


def collect_seldom() -> None:
    """Have this process look for cycles seldom.

    Scanning all states of a search again and again takes a fifth of its time; scanning all that
    the checker knows, 6 % of a run. Commands and workers call this, as it is for a whole process.
    """
    gc.set_threshold(_MADE_UNTIL_COLLECTED)
