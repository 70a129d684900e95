"""One file for each published or seed method, or family of methods."""
