"""madvise(2): what each advice does to the pages of a range."""
