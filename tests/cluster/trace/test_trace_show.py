"""A trace as text: a line per delivery, whatever the trace holds, and only what was asked for."""

from io import StringIO
from pathlib import Path

import pytest

from actors.messages import (
    Call,
    Ipi,
    Load,
    Shoot,
    Step,
    Store,
    Walk,
)
from cluster.input_error import InputError
from cluster.replay.show import Filter, mentions, show
from tests.support.traced_runs import record_inline, record_live


def lines(path: Path, **chosen: object) -> list[str]:
    out = StringIO()
    assert show(path, out, Filter(**chosen)) is None
    return out.getvalue().splitlines()


@pytest.fixture
def full(tmp_path: Path) -> Path:
    record_inline(tmp_path / "full.trace", "full")
    return tmp_path / "full.trace"


def test_one_line_a_delivery(full: Path) -> None:
    shown = lines(full)
    end = record_inline(full, "full")
    assert len(shown) == end.deliveries
    assert shown[0].split()[1:] == ["core0>vm0", "core0", "SwitchIn", "asid=0"]
    times = [int(line.split()[0].replace(",", "")) for line in shown]
    assert times[0] > 0
    assert times == sorted(times)


def test_a_trace_of_orders_shows_the_same(full: Path, tmp_path: Path) -> None:
    record_inline(tmp_path / "order.trace", "order")
    assert lines(tmp_path / "order.trace") == lines(full)


def test_a_live_trace_shows_its_timers_and_no_times(tmp_path: Path) -> None:
    end = record_live(tmp_path / "full.trace", 4, "full")
    record_live(tmp_path / "order.trace", 4, "order")
    full, order = lines(tmp_path / "full.trace"), lines(tmp_path / "order.trace")
    assert len(full) == len(order) == end.deliveries
    assert sorted(full) == sorted(order)  # collected in one order, replayed in another
    assert sum(line.split()[0] == "timer>core0" for line in full) == 1
    with pytest.raises(InputError, match="no simulated time"):
        lines(tmp_path / "full.trace", to_ns=5)


def test_filters(full: Path) -> None:
    every = lines(full)
    zeroer = lines(full, actor="zeroer0")
    assert zeroer == [line for line in every if "zeroer0" in line.split()[1]]
    assert lines(full, operation="zeroer0") == lines(full, operation=str((1 << 30) + 5))
    assert lines(full, operation="b") == [line for line in every if line.split()[2] == "b"]
    assert lines(full, operation="1") == lines(full, operation="b")
    page = lines(full, page=0x13)
    assert 0 < len(page) < len(every)
    assert any("Walk asid=0 vpn=0x13" in line for line in page)
    assert any("va=0x10000 length=0x4000" in line for line in page)
    late = lines(full, from_ns=5000, to_ns=9000)
    assert late == [line for line in every if 5000 <= int(line.split()[0].replace(",", "")) < 9000]
    both = lines(full, operation="b", page=0x13)
    assert both == [line for line in page if line.split()[2] == "b"]


def test_filters_that_name_what_is_not_there(full: Path) -> None:
    with pytest.raises(InputError, match="no actor 'core9': this run has core0, core1, vm0"):
        lines(full, actor="core9")
    with pytest.raises(InputError, match=r"no operation 'x': .* \(a, b\)"):
        lines(full, operation="x")


@pytest.mark.parametrize(
    "message",
    [
        Walk(0, 0, 7, False, False),
        Call(0, 0, 7, 0, 5 << 12, 3 << 12, ()),
        Shoot(0, 0, 0, (6, 7), (1,), 0),
        Ipi(0, 0, 0, (7,)),
        Load(0, 0, ((7 << 8 | 3, 99),)),
        Store(0, 0, ((7 << 8, 99, 1),)),
    ],
)
def test_what_mentions_a_page(message: object) -> None:
    assert mentions(message, 7)
    assert not mentions(message, 99)
    assert not mentions(message, 8)


def test_what_mentions_no_page() -> None:
    assert not mentions(Step(7), 7)
