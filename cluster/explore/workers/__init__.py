"""A search shared by several workers, with the result of one."""
