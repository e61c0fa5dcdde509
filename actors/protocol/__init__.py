"""Families of messages; import them from `actors.messages`."""
