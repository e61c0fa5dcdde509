"""Import recordings of real programs as workloads."""
