"""Defences against adversarial patches: filters, localisers with a response, reference rows; see `table.py`."""
