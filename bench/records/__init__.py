"""What is on disk: write-once files, their checks, their upgrades."""
