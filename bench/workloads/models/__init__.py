"""Networks that are trained or predict, one module each."""
