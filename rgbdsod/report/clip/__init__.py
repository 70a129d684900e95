"""Pages and tables of runs on zero-shot classifiers."""
