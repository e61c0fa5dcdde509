"""Makes a core of its components, each given the neighbours that it may touch."""

from collections.abc import Iterable

from actors.core.accesses import Accesses
from actors.core.claim_words import ClaimWords
from actors.core.interrupts import Interrupts
from actors.core.kernel_work import KernelWork
from actors.core.killed import Killed
from actors.core.machine import Core
from actors.core.running import Running
from actors.core.scheduler import Scheduler
from actors.core.store_buffer import StoreBuffer
from actors.core.transfers import Transfers
from actors.core.values import Thread
from actors.core.waits import Waits
from actors.guest.program import Guest
from actors.initiator import Rounds
from actors.settings import Settings
from kernel.tlb import Tlb


def idle_core(me: int, settings: Settings, guest: Guest, bound: Iterable[int]) -> Core:
    """Make an idle core with the threads that are bound to it."""
    waits, buffer, rounds = Waits(me, settings), StoreBuffer(me, settings), Rounds(me, settings)
    running = Running(me, guest, waits)
    tlb = Tlb(settings.tlb_entries, settings.seed << 12 | me)
    accesses = Accesses(settings, running, buffer, tlb)
    threads = {thread: Thread() for thread in bound}
    scheduler = Scheduler(me, settings, threads, running, buffer, accesses)
    return Core(
        me,
        settings,
        waits,
        running,
        buffer,
        accesses,
        rounds,
        Interrupts(me, settings, running, buffer, accesses, rounds),
        KernelWork(settings, accesses, rounds),
        ClaimWords(settings, running, buffer),
        scheduler,
        Transfers(settings, running, scheduler),
        Killed(settings, running, scheduler, waits),
    )
