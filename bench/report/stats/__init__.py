"""Statistics of samples: estimates, intervals, units, words."""
