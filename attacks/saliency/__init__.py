"""Attacks published for saliency maps."""
