"""The workloads: one module each, found by its file name; importing one imports no framework."""
