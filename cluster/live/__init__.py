"""Ray actors that host the machines."""
