"""Defences that judge a whole input and drop it."""
