"""One sitting: which cells, in what order, each in a process of its own."""
