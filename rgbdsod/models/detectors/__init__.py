"""Object detectors: what attacks and evaluations ask of one, and those that are known by name."""
