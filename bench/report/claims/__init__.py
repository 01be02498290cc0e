"""Claims: what is said of the records, decided by rules."""
