"""Losses that make the features of RGB and depth speak of the same scene; none needs text."""
