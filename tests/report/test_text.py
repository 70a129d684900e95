"""Tables as text."""

import pytest

from rgbdsod.report.tables import GAP, MINUS, Column, Row, Table, print_cell, verdict
from rgbdsod.report.text import to_latex, to_markdown

TABLE = Table(
    "Raw & plain",
    (Column("metric", "text"), Column("clean"), Column("change", "change")),
    (Row(("MAE", 0.0412345, 0.2), "down"), Row(("a_b|c", None, -0.25), "up")),
    "maps at 100%",
)


def test_markdown() -> None:
    assert to_markdown([TABLE]) == (
        "### Raw & plain\n\nmaps at 100%\n\n"
        "| metric | clean | change |\n| :--- | ---: | ---: |\n"
        f"| MAE ↓ | 0.041 | +0.200 |\n| a_b\\|c ↑ | {GAP} | {MINUS}0.250 |\n"
    )


def test_latex_escapes_text_and_uses_booktabs() -> None:
    text = to_latex([TABLE])
    assert r"\caption{Raw \& plain. maps at 100\%}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert r"    MAE $\downarrow$ & 0.041 & +0.200 \\" in text
    assert r"    a\_b|c $\uparrow$ & -- & $-$0.250 \\" in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("cell", "kind", "shown"),
    [
        (0.12345, "value", "0.123"),
        (-0.0001, "change", "0.000"),
        (-0.0001, "value", "0.000"),
        (0.5, "change", "+0.500"),
        (-0.5, "change", f"{MINUS}0.500"),
        (None, "value", GAP),
        (9, "value", "9"),
        (-9, "change", f"{MINUS}9"),
        ("9 of 12", "text", "9 of 12"),
    ],
)
def test_cells(cell: str | float | None, kind: str, shown: str) -> None:
    assert print_cell(cell, kind) == shown


@pytest.mark.parametrize(
    ("cell", "better", "word"),
    [(0.1, "up", "better"), (-0.1, "up", "worse"), (0.1, "down", "worse"), (-0.1, "down", "better"), (0.0002, "up", ""),
     (None, "up", ""), ("text", "up", ""), (0.1, "", "")],
)  # fmt: skip
def test_verdict(cell: str | float | None, better: str, word: str) -> None:
    assert verdict(cell, better) == word
