"""How pages come in: faults, the pager, pages faulted in by the kernel."""
