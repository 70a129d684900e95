"""Files from elsewhere: read within bounds, without running anything, and refused for a reason in a few words."""
