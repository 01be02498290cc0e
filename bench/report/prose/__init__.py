"""What people write: sources, their heads, and the checks on them."""
