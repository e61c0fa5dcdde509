"""Sans-IO machines and their messages."""
