"""Values and rules of virtual memory."""
