"""Changes that a depth sensor could suffer."""
