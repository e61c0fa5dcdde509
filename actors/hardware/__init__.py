"""Memory, swap and devices: they do what they are told."""
