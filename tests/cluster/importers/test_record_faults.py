"""The recorder's translation of ftrace text, on lines as Linux 6.18 prints them."""

import subprocess
from pathlib import Path

from cluster.importers.faults import import_faults
from cluster.importers.options import ImportOptions
from cluster.importers.recording.lines import no_progress
from tests.support.places import ROOT

AWK = ROOT / "cluster" / "importers" / "ftrace-to-faults.awk"

FTRACE = """\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
 record-faults.s-310   (    310) [000] .....  50.000001: sched_process_exec: filename=/bin/my prog pid=310 old_pid=310
         my prog-310   (    310) [000] .....  50.000011: sys_mmap(addr: 0, len: 0x2000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)
         my prog-310   (    310) [000] .....  50.000013: sys_mmap -> 0x7f7560928000
         my prog-310   (    310) [000] d....  50.000020: page_fault_user: address=0x7f7560928010 ip=0x7ff305a0a9df error_code=0x6
         my prog-310   (    310) [000] .....  50.000030: sched_process_fork: comm=my prog pid=310 child_comm=my prog child_pid=311
         my prog-311   (    310) [001] d....  50.000040: page_fault_kernel: address=0x7f7560929010 ip=clear_user+0x1 error_code=0x2
         my prog-311   (    310) [001] .....  50.000050: sys_madvise(start: 7f7560928000, len_in: 2000, behavior: 4)
         my prog-311   (    310) [001] .....  50.000052: sys_madvise -> 0x0
         my prog-310   (    310) [000] d..1.  50.000055: tlb_flush: pages:-1 reason:remote IPI send (4)
         my prog-311   (    310) [001] .....  50.000060: sched_process_exit: comm=my prog pid=311 prio=120
"""  # noqa: E501 - as the kernel prints them

FAULTS = """\
0 310 N 310 record-faults.s
0 310 E /bin/my prog
10 310 N 310 my_prog
10 310 S mmap 0 2000 3 22 ffffffff 0
12 310 R mmap 7f7560928000
19 310 F 7f7560928010 6
29 310 P 311
39 311 N 310 my_prog
39 311 K 7f7560929010 2
49 311 S madvise 7f7560928000 2000 4
51 311 R madvise 0
54 310 T -1 4
59 311 Q
"""


def test_ftrace_text_becomes_a_faults_recording(tmp_path: Path) -> None:
    done = subprocess.run(
        ["awk", "-f", str(AWK)], input=FTRACE, check=True, capture_output=True, text=True
    )
    assert done.stdout == FAULTS
    recording = tmp_path / "my.ft"
    recording.write_text(done.stdout)
    report = import_faults(recording, tmp_path / "my.hzw", ImportOptions(), no_progress)
    assert (report.threads, report.malformed, report.foreign) == (2, 0, 0)
    assert report.instructions["access"] == 2
    assert report.instructions["release"] == 1
