"""Delivery orders chosen by a strategy."""
