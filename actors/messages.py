"""The whole protocol between the machines, on one screen.

A message's first docstring line reads `receiver <- sender: meaning`. Its first field `op` names the
operation in whose course it is sent: the guest thread (or kernel thread) that runs it. `op` is also
the lane: messages of one sender, one `op` and one receiver arrive in the order sent; all others may
overtake one another. What a protocol needs ordered beyond that it earns with an acknowledgement.

    guest access    core  Walk> vm  Translation|PageFault> core  Load|Store> memory  Loaded|Stored>
    page fault      core  Fault> vm  Allocate> memory  Frame> vm  ZeroFrames> core  ZeroChunk>
                    memory  ChunkZeroed> core  Step> vm  Resolved|Signal> core
                    (several domains are asked one by one: memory  Frame|NoFrame> vm)
    copy on write   ...  Frame> vm  CopyFrame> core  CopyChunk> memory  ChunkCopied> core  Step>
    page of a file  ...  Frame> vm  ReadPage> core  PageRead> core (timer)  FillFrame> memory
                    FrameFilled> core  Step> vm
    system call     core  Call> vm  ...  Return> core
    shootdown       vm  Shoot> initiator  Ipi> cores  IpiAck> initiator  Invalidated> vm
    zeroing         vm  ZeroJob> zeroer  Take> vm  Taken> zeroer  ZeroChunk> memory
                    ChunkZeroed> zeroer  PageZeroed> vm;   vm  Steal> zeroer  Ceded> vm
    reclaim         memory  Pressure> pagedaemon  Scan> vm  ...  Scanned> pagedaemon  PassEnded>
                    memory  Pressure> pagedaemon
    page-out        vm  PageOut> memory  SwapWrite> swap  PagedOut> vm
    page-in         vm  PageIn> swap  SwapData> memory  PagedIn> vm;   vm  FreeSlots> swap
    low memory      ...  NoFrame> vm  AwaitFrames> memories, Sleep> core;  memory  FramesFree> vm
                    Wakeup> core, GaveUp> memories
    out of memory   pagedaemon  Census> vms  Sizes> pagedaemon  Kill> vm  Die> cores
                    vm  ... (as exit)  Return> pagedaemon
    exit, execve    core  Call> vm  Die> cores of the other threads  Died> vm  ...  Return> core
    transfer        core  Call> vm  (faults as above, page by page)  StartTransfer> core  Transfer>
                    device  BeginTransfer> device (timer)  DmaStore|DmaLoad> memory
                    Stored|Loaded> device  Unpin> vm  Unpinned> device  TransferDone> core
    context switch  core  SwitchIn> vm (set own bit, then read the generation)  Switched> core
                    SwitchOut> vm (clear own bit)

The initiator of an operation is the machine that its kernel code runs on: a core, or a kernel
thread. `ns` in a message to an initiator is the kernel work that it shall charge to itself.
"""

from actors.protocol.daemons import *
from actors.protocol.devices import *
from actors.protocol.frames import *
from actors.protocol.guest import *
from actors.protocol.kernel import *
from actors.protocol.swap import *
