"""What a run cost, measured and summed up."""
