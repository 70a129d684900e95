"""One patch for all images before a detector: fitted on some, laid on others."""
