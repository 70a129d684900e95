"""Patches beside photographs: their spectra, and how far their appearances are from crops."""
