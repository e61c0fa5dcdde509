# Turn the text of an ftrace buffer (option record-tgid) into the lines of a faults recording.
#   program-1234 (1230) [001] ..... 77.123456: sys_munmap(addr: 7f1234560000, len: 1000)
#   -> 0 1234 N 1230 program
#      0 1234 S munmap 7f1234560000 1000
function bare(number) { sub(/^0x/, "", number); return number }

match($0, /-[0-9]+ +\( *[0-9-]+\) +\[[0-9]+\] +[^ ]+ +[0-9]+\.[0-9]+: /) {
    program = substr($0, 1, RSTART - 1)
    sub(/^ +/, "", program)
    gsub(/ /, "_", program)
    fields = split(substr($0, RSTART + 1, RLENGTH), head, /[^0-9.]+/)
    tid = head[1]
    pid = head[2] + 0
    us = int(head[fields - 1] * 1000000 + 0.5)
    if (!begun) begun = us
    now = (us - begun) " " tid
    rest = substr($0, RSTART + RLENGTH)
    split(rest, word, /[ =]/)
    if (pid && named[tid] != pid " " program) {
        named[tid] = pid " " program
        print now, "N", pid, program
    }
    if (word[1] == "page_fault_user:") {
        print now, "F", bare(word[3]), bare(word[7])
    } else if (word[1] == "page_fault_kernel:") {
        print now, "K", bare(word[3]), bare(word[7])
    } else if (word[1] == "sched_process_fork:") {
        sub(/.*child_pid=/, "", rest)
        print now, "P", rest
    } else if (word[1] == "sched_process_exec:") {
        sub(/.*filename=/, "", rest)
        sub(/ pid=.*/, "", rest)
        print now, "E", rest
    } else if (word[1] == "sched_process_exit:") {
        print now, "Q"
    } else if (word[1] == "tlb_flush:") {
        sub(/^pages:/, "", word[2])
        sub(/.*\(/, "", rest)
        sub(/\).*/, "", rest)
        print now, "T", word[2], rest
    } else if (rest ~ /^sys_[a-z]+\(/) {
        name = substr(word[1], 5)
        sub(/\(.*/, "", name)
        sub(/^[^(]*\(/, "", rest)
        sub(/\).*/, "", rest)
        gsub(/[a-z_]+: (0x)?/, "", rest)
        gsub(/,/, "", rest)
        print now, "S", name, rest
    } else if (rest ~ /^sys_[a-z]+ -> /) {
        print now, "R", substr(word[1], 5), bare(word[3])
    }
}
