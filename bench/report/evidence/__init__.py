"""Records as evidence: which cell speaks, how far it can be trusted."""
