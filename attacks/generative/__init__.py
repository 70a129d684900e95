"""Perturbations and samples from trained generators."""
