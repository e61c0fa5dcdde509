"""Laws of the values in kernel/: maps, locks, TLBs, frames, stamps."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.explore.strategies.stateful import search
from cluster.explore.world import World
from cluster.scenario.scenario import parse
from cluster.scenario.setup import prepare
from kernel.frame import junk
from kernel.locks import SxLock
from kernel.pte import P, U, W, make
from kernel.stamp import JUNK, ZERO, stamp, stamp_text, writer
from kernel.tlb import Tlb
from kernel.vm_map import HOLE, MapEntry, VmMap

RANGES = st.tuples(st.integers(0, 15), st.integers(1, 6))
CHANGES = st.lists(
    st.tuples(st.sampled_from(["map", "unmap", "protect", "hole"]), RANGES, st.integers(0, 3)),
    max_size=25,
)


@given(CHANGES)
@settings(max_examples=300, deadline=None)
def test_a_map_shows_what_a_table_of_pages_shows(changes: list) -> None:
    """Clipping and coalescing change entries, never what a page shows."""
    vm_map, pages, oid = VmMap(), {}, 0
    for verb, (start, length), value in changes:
        end = start + length
        if verb in ("map", "unmap"):
            vm_map.remove(start, end)
            for vpn in range(start, end):
                pages.pop(vpn, None)
        if verb == "map":
            oid += 1
            vm_map.insert(MapEntry(start, end, value, oid, 0))
            pages.update({v: (value, oid, v - start, 0) for v in range(start, end)})
        if verb == "protect":
            vm_map.change(start, end, lambda e, value=value: e.with_prot(value))
            pages = {v: (value, *p[1:]) if start <= v < end else p for v, p in pages.items()}
        if verb == "hole":
            flags = value & HOLE
            vm_map.change(start, end, lambda e, on=flags: e.with_flags(on, HOLE))
            pages = {v: (*p[:3], flags) if start <= v < end else p for v, p in pages.items()}
        shown = {
            v: (e.prot, e.oid, e.pindex(v), e.flags)
            for e in vm_map.entries
            for v in range(e.start, e.end)
        }
        assert shown == pages
        assert vm_map.refs == Counter(e.oid for e in vm_map.entries)
        assert vm_map.starts == [e.start for e in vm_map.entries] == sorted(vm_map.starts)


def test_like_neighbours_are_one_entry() -> None:
    """Protecting a part and undoing it leaves the map as it was."""
    vm_map = VmMap()
    whole = vm_map.insert(MapEntry(0, 8, 3, 1, 0))
    vm_map.change(2, 4, lambda e: e.with_prot(1))
    assert [(e.start, e.end) for e in vm_map.entries] == [(0, 2), (2, 4), (4, 8)]
    vm_map.change(2, 4, lambda e: e.with_prot(3))
    assert vm_map.entries == [whole]


def test_a_change_of_no_pages_leaves_entries_whole() -> None:
    vm_map = VmMap()
    whole = vm_map.insert(MapEntry(0, 8, 3, 1, 0))
    vm_map.change(4, 4, lambda e: e.with_prot(1))
    assert vm_map.remove(5, 5) == []
    assert vm_map.entries == [whole]


def test_a_gap_is_seen() -> None:
    """A range is mapped as a whole only if there is no gap in it."""
    vm_map = VmMap()
    vm_map.insert(MapEntry(0, 2, 3, 1, 0))
    vm_map.insert(MapEntry(3, 5, 3, 2, 0))
    assert vm_map.has_gap(0, 5)
    assert not vm_map.has_gap(3, 5)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_lock_is_exclusive_and_loses_nobody(asks: list[tuple[int, bool]]) -> None:
    """One writer or many readers; whoever queued is let in by a release."""
    lock, inside, waiting = SxLock(), set(), set()
    for op, write in asks:
        if op in inside:
            woken = lock.release(op)
            inside.discard(op)
            inside.update(woken)
            waiting.difference_update(woken)
        elif op not in waiting:
            taken = lock.acquire(op, write=write)
            (inside if taken else waiting).add(op)
        assert inside == set(lock.readers) | ({lock.writer} if lock.writer >= 0 else set())
        assert not (lock.writer >= 0 and lock.readers)
        assert not waiting or inside
    while inside:
        op = inside.pop()
        woken = lock.release(op)
        inside.update(woken)
        waiting.difference_update(woken)
    assert lock.idle()
    assert not waiting


def test_a_full_tlb_evicts_one_of_its_oldest_by_its_seed() -> None:
    """The same seed evicts the same entries; the youngest stay."""
    left = []
    for seed in (1, 1, 2):
        tlb = Tlb(8, seed)
        for vpn in range(64):
            tlb.load(0, vpn, make(vpn, P | U | W))
            assert tlb.get(0, vpn)
        assert len(tlb.rows()) == 8
        left.append([vpn for _, vpn, _ in tlb.rows()])
    assert left[0] == left[1] != left[2]
    assert all(rows[-4:] == [60, 61, 62, 63] for rows in left)


def test_an_invalidation_leaves_other_address_spaces_alone() -> None:
    """No pages means all of one address space, and only of that."""
    tlb = Tlb(8)
    for asid in (0, 1):
        for vpn in (5, 6):
            tlb.load(asid, vpn, make(vpn, P | U))
    tlb.invalidate(0, (5,))
    assert [(a, v) for a, v, _ in tlb.rows()] == [(0, 6), (1, 5), (1, 6)]
    assert tlb.invalidate_all(1, (6, 9)) == 1, "page 5 was not meant"
    assert [(a, v) for a, v, _ in tlb.rows()] == [(0, 6)]


def test_the_seed_of_a_run_reaches_its_tlbs() -> None:
    """Two seeds give two searches of a run whose TLB is too small, each repeatable."""

    def states(seed: int) -> int:
        thread = {"run": ["map 0 9", "store 0 9", *(f"load {p}" for p in range(9))]}
        machine = {"cores": 1, "tlb_entries": 5}
        data = {"machine": machine, "thread": [thread], "run": {"seed": seed}}
        return search(World(prepare(parse(data, "seed")))).states

    assert states(1) == states(1)
    assert len({states(seed) for seed in range(6)}) > 1


def test_a_frame_is_junk_until_every_chunk_is_zeroed() -> None:
    """Zeroing a chunk clears its granules, stores included, and no others."""
    frame = junk(2).written([(0, 7), (200, 8)])
    half = frame.zeroed(0)
    assert [half.read(g) for g in (0, 1, 200, 201)] == [ZERO, ZERO, 8, JUNK]
    assert [half.zeroed(1).read(g) for g in (0, 200, 255)] == [ZERO] * 3
    assert frame.read(0) == 7


@given(st.integers(0, 131070), st.integers(0, (1 << 26) - 1), st.integers(0, (1 << 20) - 1))
def test_a_stamp_names_its_store(thread: int, index: int, element: int) -> None:
    """Stamps are unique, positive and fit what a message can carry."""
    value = stamp(thread, index, element)
    assert writer(value) == (thread, index, element)
    assert 0 < value < 1 << 63
    assert stamp_text(value).startswith(f"t{thread}#{index}")
