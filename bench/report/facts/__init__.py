"""Facts: numbers by name, each with the records it rests on."""
