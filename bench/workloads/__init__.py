"""The workloads: one module each below models/ and studies/, found by file name; importing one imports no framework."""
