"""Phases: what an operation goes through, one after the other.

Each kind has a tuple of them (`PHASES` of its module); `op.phase` is an index into it. A step takes
the operation further and says in what state it is left.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.machine import Effect
from actors.vm.op import Op
from actors.vm.state import VmState
from kernel.vmspace import VmSpace

#: takes an operation one step further, within its phase or to another
StepFn = Callable[[VmState, VmSpace, Op[Any], list[Effect]], Op[Any]]
#: says whether a phase has nothing to do for an operation
IdleFn = Callable[[VmState, VmSpace, Op[Any]], bool]


class Phase(msgspec.Struct, frozen=True):
    """One entry of a table of phases."""

    step: StepFn
    #: a phase that is idle is no step of its own: the step before it goes past it
    idle: IdleFn | None = None
    #: what readers see, if it is not the function's name
    shown: str = ""

    @property
    def name(self) -> str:
        """Return what transcripts and stories call it."""
        return self.shown or self.step.__name__


def index_of(phases: tuple[Phase, ...], step: StepFn) -> int:
    """Find the first phase with a step."""
    return next(i for i, phase in enumerate(phases) if phase.step is step)
