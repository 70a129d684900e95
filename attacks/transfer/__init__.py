"""Attacks that are made on one model to fool others."""
