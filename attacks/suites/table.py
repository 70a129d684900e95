"""Rows of the suites. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS: list[AttackRow] = []
