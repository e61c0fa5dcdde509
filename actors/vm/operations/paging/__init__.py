"""How pages go: what the page daemon has each vm do."""
