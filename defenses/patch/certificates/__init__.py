"""Certificates: what no patch of a stated size can change, wherever it is and whatever it shows."""
