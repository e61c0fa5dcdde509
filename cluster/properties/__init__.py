"""What must be true of a run."""
