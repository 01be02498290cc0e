"""What a training step on a GPU takes that nobody measured here: a formula fitted to published measurements."""
