"""Attacks that climb the loss within a radius."""
