"""A CPU core: runs guest threads and, in the kernel, their system calls."""
