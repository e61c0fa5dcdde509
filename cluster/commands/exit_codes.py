"""How holezero exits; `holezero --help` and the help of each command tell them."""

#: a promise was broken, or something differs from what was measured or recorded elsewhere
VIOLATED = 1
BAD_INPUT = 2
#: a replay differs from its trace
DIFFERS = 3
WORKER_DIED = 4
#: a search found nothing and did not see everything
UNDECIDED = 5
#: an error of holezero itself
SOFTWARE_ERROR = 70
INTERRUPTED = 130
#: what a shell shows for a program that a closed pipe ended
PIPE_CLOSED = 141


def of_signal(number: int) -> int:
    """Return what a shell shows for a program that a signal ended."""
    return 128 + number
