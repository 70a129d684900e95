"""Patches as runs: made, measured beside controls, laid on other images, exported."""
