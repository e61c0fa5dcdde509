"""Ranges of an address space: walked page by page, checked, claimed."""
