#!/bin/sh
# Record system calls, page faults and TLB flushes of a program with the kernel's tracepoints (Linux,
# tracefs; as root), for `holezero import faults`.
#
#   sudo sh record-faults.sh OUT PROGRAM [ARGUMENT...]      writes OUT.ft.gz
#
# TRACEFS names another mount point, BUFFER_KB the buffer for each CPU. The program runs as root:
# `runuser -u NAME -- PROGRAM` runs it as another user. Threads and children are followed.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 OUT PROGRAM [ARGUMENT...]" >&2; exit 2; }
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
root=${TRACEFS:-/sys/kernel/tracing}
[ -e "$root/events" ] || mount -t tracefs nodev "$root"
instance=$root/instances/holezero.$$
mkdir "$instance"
trap 'echo 0 >"$instance/tracing_on"; rmdir "$instance"' EXIT
echo "${BUFFER_KB:-65536}" >"$instance/buffer_size_kb"
echo 1 >"$instance/options/event-fork"
echo 1 >"$instance/options/record-tgid"
for event in exceptions/page_fault_user exceptions/page_fault_kernel tlb/tlb_flush \
    sched/sched_process_fork sched/sched_process_exec sched/sched_process_exit; do
    echo 1 >"$instance/events/$event/enable"
done
for call in mmap munmap mprotect madvise brk mremap; do
    echo 1 >"$instance/events/syscalls/sys_enter_$call/enable"
    echo 1 >"$instance/events/syscalls/sys_exit_$call/enable"
done
sh -c 'echo $$ >"$0/set_event_pid"; exec "$@"' "$instance" "$@" || echo "$1 ended with $?" >&2
echo 0 >"$instance/tracing_on"
awk -f "$here/ftrace-to-faults.awk" "$instance/trace" | gzip >"$out.ft.gz"
if grep -hE '^(overrun|dropped events): [1-9]' "$instance"/per_cpu/cpu*/stats >&2; then
    echo "events were lost: record again with BUFFER_KB=262144 or more" >&2
    exit 1
fi
