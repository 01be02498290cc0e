"""Tests; a package, so that `tests.factories` means this folder whatever else is installed."""
