"""Strategies: in which orders messages are delivered."""
