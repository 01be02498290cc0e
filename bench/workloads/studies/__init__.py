"""Studies and probes, one module each."""
