"""Rows of the black-box attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS: list[AttackRow] = []
