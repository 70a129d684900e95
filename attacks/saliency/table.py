"""Rows of the attacks made for saliency. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS: list[AttackRow] = []
