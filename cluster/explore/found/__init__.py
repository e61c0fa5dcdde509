"""What a search has found: kept, named, made small, told."""
