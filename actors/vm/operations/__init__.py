"""Operations of the kernel on an address space, one module a kind, as phases."""
