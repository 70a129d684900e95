"""Runs that say what no patch of a stated size can change."""
