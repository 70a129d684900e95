"""Whether a robustness figure can be believed: an attack beside what must be weaker, equal or stronger."""
