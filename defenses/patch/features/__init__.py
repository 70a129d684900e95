"""Defences that act on what the victim computes inside."""
