"""What the checker knows of a run, in parts that are copied and frozen by themselves."""
