"""Attacks that know the defence: which there are, which one a defence gets, and what proves that they work."""
