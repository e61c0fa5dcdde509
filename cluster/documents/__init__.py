"""Documents that are rendered from the code."""
