"""What must be true of a run, and the checker that judges it."""
