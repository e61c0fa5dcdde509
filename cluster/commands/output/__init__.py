"""How commands show what came of them: tables, stories, progress."""
