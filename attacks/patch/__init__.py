"""Adversarial patches: a mask, a placement and an expectation over transformations on the common core."""
