"""Calls are printed by the names that they have where they come from."""

from actors.call_names import call_name
from actors.operation import OpKind
from kernel.policy.keys import AdviceKind


def test_apples_calls_have_apples_names() -> None:
    calls = (OpKind.HOLE, OpKind.REUSE, OpKind.MPROTECT, OpKind.ADVISE_COLD)
    issue = [call_name(kind, AdviceKind.HOLE_ZERO) for kind in calls]
    apple = [call_name(kind, AdviceKind.REUSABLE_REUSE) for kind in calls]
    assert issue == ["MADV_FREE_HOLE", "MADV_FREE_REUSE", "mprotect", "advise cold"]
    assert apple == ["MADV_FREE_REUSABLE", "MADV_FREE_REUSE", "mprotect", "advise cold"]
