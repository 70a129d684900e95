"""Runs on zero-shot classifiers: evaluation under attack, weight interpolation, tuning."""
