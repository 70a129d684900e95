"""Labelled images for zero-shot classification: any class folder, the sixteen usual sets, generated glyphs."""
