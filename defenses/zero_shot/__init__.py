"""Hardening of dual encoders (CLIP and its kin) for zero-shot classification: losses, attention maps and methods."""
