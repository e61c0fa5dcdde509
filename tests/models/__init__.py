"""Published models with published counts, as systems that the explorer can search."""
