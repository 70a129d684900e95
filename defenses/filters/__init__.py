"""Defences that change, or drop, the inputs of a network under image-wide noise; see `table.py` and `compose.py`."""
