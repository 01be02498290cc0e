"""Painters: from rows to Altair charts."""
