"""Figures from elsewhere, each with its source, and prices."""
