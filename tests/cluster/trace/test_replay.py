"""A trace replays to the same run, and a run that is not the same is found where it differs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actors.hardware.memory import Memory
from actors.machine import Effect, ProtocolError, Send
from actors.messages import Load, Loaded, Walk
from actors.vm.machine import Vm
from cluster.hosts.channel import TIMER
from cluster.hosts.codec import ENCODER
from cluster.input_error import InputError
from cluster.live.node import TransportError
from cluster.replay.causal_cut import cut_to_causes
from cluster.replay.replaying import replay
from cluster.trace.format import Delivery, Order, Record, header_of
from cluster.trace.reader import TraceReader
from cluster.trace.receiver_log import ReceiverLog
from cluster.trace.text import decode_delivery
from cluster.trace.writer import TraceWriter
from tests.support.traced_runs import Laboratory, contended, host_of, record_inline, record_live


class Facts:
    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def noted(self, when: int, actor: int, fact: object) -> None:
        self.seen[type(fact).__name__] += 1


def load_ones(self: Memory, src: int, m: Load) -> list[Effect]:
    """Be another memory: one that holds ones."""
    return [Send(src, Loaded(m.op, tuple(1 for _ in m.items)))]


def rewrite(path: Path, change: Callable[[int, Record], Record | None]) -> None:
    """Write the trace anew, each record (by number) as `change` gives it."""
    with TraceReader(path) as reader:
        header, end, records = reader.header, reader.end, list(reader)
    with TraceWriter(path, header) as writer:
        for number, record in enumerate(records):
            changed = change(number, record)
            if changed is not None:
                writer.add(changed)
        writer.finish(end)


@pytest.mark.parametrize("kind", ["full", "order"])
def test_an_inline_run_replays(tmp_path: Path, kind: str) -> None:
    end = record_inline(tmp_path / "t.trace", kind)
    facts = Facts()
    result = replay(tmp_path / "t.trace", listeners=(facts,))
    assert result.same
    assert result.difference is None
    assert (result.deliveries, result.digest) == (end.deliveries, end.digest)
    assert result.simulated_ns == end.simulated_ns > 0
    assert facts.seen["CallStarted"] == facts.seen["CallEnded"] > 5


@pytest.mark.parametrize("kind", ["full", "order"])
def test_a_run_that_was_stopped_replays_that_far(tmp_path: Path, kind: str) -> None:
    record_inline(tmp_path / "t.trace", kind, limit=70)
    result = replay(tmp_path / "t.trace")
    assert result.same
    assert result.deliveries == 70
    assert not result.end.complete


@pytest.mark.parametrize("kind", ["full", "order"])
def test_a_prefix_replays_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    setup = contended()
    with TraceWriter(tmp_path / "t.trace", header_of(setup, kind=kind)) as trace:
        host = host_of(setup, record=trace.record if kind == "full" else None)
        host.start()
        for _ in range(3):
            trace.run(host, 20)
    with pytest.raises(InputError, match="--prefix"):
        replay(tmp_path / "t.trace")
    result = replay(tmp_path / "t.trace", allow_prefix=True)
    assert result.same
    assert result.deliveries == 60
    assert result.end is None


def test_a_full_trace_names_the_message_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_inline(tmp_path / "a.trace", "full")
    monkeypatch.setitem(Memory.HANDLERS, Load, load_ones)
    record_inline(tmp_path / "b.trace", "full")
    with TraceReader(tmp_path / "a.trace") as a, TraceReader(tmp_path / "b.trace") as b:
        both = zip(
            (r for r in a if isinstance(r, Delivery)),
            (r for r in b if isinstance(r, Delivery)),
            strict=False,
        )
        place, (_, now) = next((i, ab) for i, ab in enumerate(both) if ab[0] != ab[1])
    difference = replay(tmp_path / "a.trace").difference
    assert difference is not None
    assert difference.delivery == place
    assert "Loaded stamps=" in difference.replayed
    assert "Loaded stamps=(1" not in difference.recorded
    assert difference.receiver == a.header.actors[now.dst]
    message = decode_delivery(now.data)[3]
    assert difference.lane == a.header.lane_name(message.op)
    assert 0 < len(difference.story) <= 30
    assert all(f" {difference.lane} " in line for line in difference.story)
    assert difference.text().startswith(f"first difference after {place} deliveries")


def test_an_order_trace_names_the_stretch_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_inline(tmp_path / "t.trace", "order")
    monkeypatch.setitem(Memory.HANDLERS, Load, load_ones)
    difference = replay(tmp_path / "t.trace").difference
    assert difference is not None
    assert difference.delivery % 20 == 0
    assert f"since {difference.delivery - 20:,} " in difference.replayed


def test_an_altered_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    record_inline(path, "full", every=10_000)

    def change(number: int, record: Record) -> Record:
        if number != 50:
            return record
        src, seq, arrival, message = decode_delivery(record.data)
        return Delivery(record.dst, ENCODER.encode((src, seq, arrival + 1, message)))

    rewrite(path, change)
    difference = replay(path).difference
    assert difference is not None
    assert difference.delivery == 50
    rewrite(path, lambda number, record: None if number == 50 else record)
    assert replay(path).difference.delivery == 50


def test_what_a_machine_raises_is_raised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Vm, src: int, m: Walk) -> list[Effect]:
        if m.write:
            raise ProtocolError(f"no {m!r}")
        return self._walk(src, m)

    monkeypatch.setitem(Vm.HANDLERS, Walk, refuse)
    setup = contended()
    with TraceWriter(tmp_path / "t.trace", header_of(setup, kind="full")) as trace:
        host = host_of(setup, record=trace.record)
        host.start()
        with pytest.raises(ProtocolError):
            trace.run(host)
    result = replay(tmp_path / "t.trace")
    assert result.same
    assert "no Walk(" in result.failures["run"]
    assert result.deliveries == host.deliveries
    monkeypatch.undo()
    difference = replay(tmp_path / "t.trace").difference
    assert difference.replayed == "no machine fails"

    record_live(tmp_path / "l.trace", 1)
    assert replay(tmp_path / "l.trace").same
    monkeypatch.setitem(Vm.HANDLERS, Walk, refuse)
    assert "vm0 fails: ProtocolError: no Walk(" in replay(tmp_path / "l.trace").difference.replayed
    record_live(tmp_path / "l.trace", 1)
    result = replay(tmp_path / "l.trace")
    assert result.same
    assert set(result.failures) == {"vm0"}


# Live runs: directed replay.


def test_fifty_live_runs_replay(tmp_path: Path) -> None:
    orders = set()
    for seed in range(50):
        kind = "full" if seed % 2 else "order"
        path = tmp_path / "t.trace"
        end = record_live(path, seed, kind, jitter=seed % 3 == 0)
        result = replay(path)
        assert result.same, result.difference.text()
        assert (result.deliveries, result.digest) == (end.deliveries, end.digest)
        assert result.waiting == []
        orders.add(end.digest)
    assert len(orders) > 40


def test_a_live_trace_names_the_message_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    record_live(path, 3, "full")
    changed = []

    def change(number: int, record: Record) -> Record:
        if changed or not isinstance(record, Delivery) or number < 30:
            return record
        src, seq, arrival, message = decode_delivery(record.data)
        if not isinstance(message, Walk):
            return record
        changed.append(msgspec.structs.replace(message, vpn=message.vpn + 1))
        return Delivery(record.dst, ENCODER.encode((src, seq, arrival, changed[0])))

    rewrite(path, change)
    difference = replay(path).difference
    assert difference.receiver == "vm0"
    assert f"vpn={changed[0].vpn:#x} " in difference.recorded
    assert f"vpn={changed[0].vpn - 1:#x} " in difference.replayed


def test_a_live_trace_of_orders_differs_by_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_live(tmp_path / "t.trace", 3)
    monkeypatch.setitem(Memory.HANDLERS, Load, load_ones)
    difference = replay(tmp_path / "t.trace").difference
    assert difference.recorded.startswith("digest ")
    assert difference.receiver in ("core0", "core1")


def test_a_log_that_can_not_be_followed_names_the_channel(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    record_live(path, 5)

    def change(number: int, record: Record) -> Record:
        if isinstance(record, Order) and record.dst == 2 and number < 10:
            return Order(2, (*record.runs[:3], 0, 77, 1, *record.runs[3:]))
        return record

    rewrite(path, change)
    difference = replay(path).difference
    assert "vm0 takes a message from core0 on lane 77" in difference.recorded
    assert "messages wait from " in difference.replayed


def test_a_timer_is_no_message_to_oneself(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    record_live(path, 5)
    timers = []

    def change(number: int, record: Record) -> Record:
        if isinstance(record, Order) and TIMER in record.runs[::3]:
            timers.append(record.dst)
            at = 3 * record.runs[::3].index(TIMER)
            return Order(record.dst, (*record.runs[:at], record.dst, *record.runs[at + 1 :]))
        return record

    rewrite(path, change)
    difference = replay(path).difference
    assert timers
    assert difference.receiver in ("core0", "core1")
    assert "its timers" in difference.replayed


def lose_a_log(path: Path, kind: str, seed: int, victim: int) -> int:
    """Record half a live run; what the victim did since the half of that is lost.

    Gives what is known to be closed under causes: all logs were there at that time.
    """
    laboratory = Laboratory(seed, kind)
    with TraceWriter(path, header_of(laboratory.setup, engine="ray-free", kind=kind)) as trace:
        while laboratory.handled < 50:
            laboratory.step()
        for node in laboratory.nodes:
            trace.append(node.log.take())
        known = laboratory.handled
        while laboratory.handled < 100:
            laboratory.step()
        for node in laboratory.nodes:
            if node.me != victim:
                trace.append(node.log.take())
    return known


@pytest.mark.parametrize("kind", ["full", "order"])
@pytest.mark.parametrize("victim", [0, 2, 3])
def test_a_trace_with_a_lost_log_is_cut_to_what_has_its_causes(
    tmp_path: Path, kind: str, victim: int
) -> None:
    path = tmp_path / "t.trace"
    dropped = 0
    for seed in range(5):
        known = lose_a_log(path, kind, seed, victim)
        prefix = replay(path, allow_prefix=True)
        assert prefix.same
        cut = cut_to_causes(path, "an actor died")
        assert known <= cut.kept < 100
        assert cut.dropped == prefix.left_over
        dropped += cut.dropped
        result = replay(path)
        assert result.same
        assert result.end.cut
        assert result.end.verdict == "an actor died"
        assert result.deliveries == cut.kept == prefix.deliveries
        assert list(tmp_path.iterdir()) == [path]
    assert dropped > 0


def test_a_node_notices_what_the_transport_does() -> None:
    laboratory = Laboratory(1, "order")
    batch = ENCODER.encode([(0, 5, Walk(0, 0, 1, False, False))])
    with pytest.raises(TransportError, match="got message 5 of actor 0 instead of"):
        laboratory.nodes[2].enqueue(batch)
    with pytest.raises(TransportError, match="no batch"):
        laboratory.nodes[2].enqueue(b"\x93rubbish")


def test_a_checkpoint_is_due_every_so_often() -> None:
    log = ReceiverLog(3, full=False, checkpoint_every=3)
    due = [log.add(0, 7, b"") for _ in range(7)]
    assert due == [*[False, False, True] * 2, False]


def test_a_trace_of_other_machines_is_recorded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster.live.retrace import retrace

    path = tmp_path / "t.trace"
    end = record_inline(path, "full")
    assert not retrace(path)
    with TraceReader(path) as reader:
        header, records = reader.header, list(reader)
    with TraceWriter(path, msgspec.structs.replace(header, model=77)) as writer:
        for record in records:
            writer.add(record)
        writer.finish(end)
    with pytest.raises(InputError, match="model 77"):
        replay(path)
    assert retrace(path)
    assert replay(path).digest == end.digest
    assert list(tmp_path.iterdir()) == [path]
