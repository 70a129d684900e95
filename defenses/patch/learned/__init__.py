"""Defences with small trained networks of their own."""
