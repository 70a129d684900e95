"""Attacks that see outputs or decisions only."""
