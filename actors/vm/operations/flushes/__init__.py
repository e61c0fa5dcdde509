"""How TLBs lose entries: at once, later, and at a context switch."""
