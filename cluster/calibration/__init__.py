"""Cost profiles against measurements: published ones, and those of the user's own machine."""
