"""Trace files: format, reader, writer."""
