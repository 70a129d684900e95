"""Pages of runs on input defences."""
