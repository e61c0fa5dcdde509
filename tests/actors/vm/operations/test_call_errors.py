"""What calls return before they look at the map."""

import pytest

from actors.operation import OpKind
from actors.vm.operations.ranges.call_errors import answer_at_once
from kernel.errors import Errno
from kernel.policy.keys import Errors
from kernel.units import PAGE_SIZE

WITHIN = 4 * PAGE_SIZE + 16
MOVE = 8 * PAGE_SIZE, PAGE_SIZE, 0


@pytest.mark.parametrize("kind", [OpKind.MLOCK, OpKind.MUNLOCK, OpKind.HOLE, OpKind.MPROTECT])
@pytest.mark.parametrize("errors", Errors)
def test_no_length_within_a_page_is_about_it_where_the_address_is_rounded(
    kind: OpKind, errors: Errors
) -> None:
    exact = {
        Errors.LINUX: (OpKind.HOLE, OpKind.MPROTECT),
        Errors.XNU: (OpKind.MPROTECT,),
    }
    answer = Errno.EINVAL if kind in exact.get(errors, ()) else None
    assert answer_at_once(kind, WITHIN, 0, (), errors) is answer
    assert answer_at_once(kind, 4 * PAGE_SIZE, 0, (), errors) is Errno.OK


@pytest.mark.parametrize("kind", [OpKind.MMAP, OpKind.MUNMAP])
def test_a_mapping_has_a_length(kind: OpKind) -> None:
    assert answer_at_once(kind, 4 * PAGE_SIZE, 0, (), Errors.FREEBSD) is Errno.EINVAL


def test_mremap_of_no_length_looks_at_the_map() -> None:
    assert answer_at_once(OpKind.MREMAP, 4 * PAGE_SIZE, 0, MOVE, Errors.LINUX) is None
    inside = 3 * PAGE_SIZE, 2 * PAGE_SIZE, 0
    assert answer_at_once(OpKind.MREMAP, 4 * PAGE_SIZE, 0, inside, Errors.LINUX) is Errno.EINVAL
