"""How large a machine may be whose promises are checked."""

from cluster.input_error import InputError
from cluster.scenario.setup import Setup

#: the checker gives every delivery a clock with an entry for each actor
CORES_MAX = 1024


def require_checkable(setup: Setup) -> None:
    """Check that the checker can watch a run of a setup.

    Raises:
        InputError: it has too many cores; says what to do.
    """
    cores = setup.settings.cores
    if cores > CORES_MAX:
        raise InputError(
            f"machine.cores={cores}: promises are checked on machines of up to {CORES_MAX:,} "
            f"cores: run it with --check off, or set machine.cores={CORES_MAX}"
        )
