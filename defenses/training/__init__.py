"""Adversarial training of networks that predict maps: one method a file."""
