"""What several workloads are made of; it counts in the fingerprint of each."""
