"""Rows of the sensor-like changes of depth. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS: list[AttackRow] = []
