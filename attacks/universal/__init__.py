"""One perturbation for all samples."""
