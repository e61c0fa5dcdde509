"""The memory of the recorded process, as its calls shaped it."""
