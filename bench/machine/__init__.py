"""This host: what it is, what it can do, what it tells while a run is going."""
