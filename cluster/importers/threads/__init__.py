"""The guest threads of an import, and in which order they did what they did."""
