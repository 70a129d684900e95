"""Rows of the minimum-norm attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS: list[AttackRow] = []
