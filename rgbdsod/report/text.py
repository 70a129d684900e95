"""Tables as Markdown and LaTeX."""

from collections.abc import Iterable, Sequence

from rgbdsod.report.tables import GAP, MINUS, Better, Column, Row, Table, print_cell, print_interval, spans

_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", GAP: "--", MINUS: "$-$", "≤": r"$\leq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{INFINITY}": r"$\infty$", "β": r"$\beta$", "²": "$^2$", "±": r"$\pm$",
}  # fmt: skip
_TEX_ARROWS = (r" $\uparrow$", r" $\downarrow$")


def to_markdown(tables: Iterable[Table]) -> str:
    """Tables in GitHub's dialect."""
    return "\n".join(_markdown(table) for table in tables)


def to_latex(tables: Iterable[Table]) -> str:
    r"""`table` environments for `\usepackage{booktabs}`."""
    head = "% Made by rgbdsod; needs \\usepackage{booktabs}.\n"
    return head + "\n".join(_latex(table) for table in tables)


def _markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    heads = line(_full_label(column) + _arrow(column.better) for column in table.columns)
    sides = line(":---" if _left(table, i) else "---:" for i in range(len(table.columns)))
    rows = [line(_printed(table, row, " ↑", " ↓")) for row in table.rows]
    note = f"\n{table.note}\n" if table.note else ""
    return "\n".join([f"### {table.title}", note, heads, sides, *rows, ""])


def _latex(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "    " + " & ".join(cells) + r" \\"

    heads = line(_tex(column.label) + _arrow(column.better, *_TEX_ARROWS) for column in table.columns)
    groups = _tex_groups(table.columns)
    rows = [line(_escaped(table, row)) for row in table.rows]
    sides = "".join("l" if _left(table, i) else "r" for i in range(len(table.columns)))
    caption = _tex(f"{table.title}. {table.note}".strip())
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{caption}}}",
            rf"  \begin{{tabular}}{{{sides}}}",
            r"    \toprule",
            *groups,
            heads,
            r"    \midrule",
            *rows,
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _arrow(better: Better, up: str = " ↑", down: str = " ↓") -> str:
    return {"up": up, "down": down, "": ""}[better]


def _left(table: Table, index: int) -> bool:
    return index == 0 or table.columns[index].kind == "text"


def _full_label(column: Column) -> str:
    """A head for formats that have no groups of columns."""
    return f"{column.group} {column.label}".strip()


def _tex_groups(columns: Sequence[Column]) -> list[str]:
    """A line of heads above the heads, with rules below them."""
    groups = spans(columns)
    if not groups:
        return []
    cells = [rf"\multicolumn{{{span}}}{{c}}{{{_tex(group)}}}" for group, span in groups]
    rules, first = [], 1
    for group, span in groups:
        rules += [rf"\cmidrule(lr){{{first}-{first + span - 1}}}"] if group else []
        first += span
    return ["    " + " & ".join(cells) + r" \\", "    " + " ".join(rules)]


def _cells(table: Table, row: Row) -> list[tuple[str, str]]:
    """Each cell and, where it has one, its interval."""
    pairs = zip(row.cells, table.columns, strict=True)
    return [(print_cell(cell, column.kind), print_interval(cell, column.kind)) for cell, column in pairs]


def _printed(table: Table, row: Row, up: str, down: str) -> list[str]:
    first, *others = (f"{cell}<br>{interval}" if interval else cell for cell, interval in _cells(table, row))
    return [first + _arrow(row.better, up, down), *others]


def _escaped(table: Table, row: Row) -> list[str]:
    first, *others = (
        rf"\shortstack[r]{{{_tex(cell)}\\{{\tiny {_tex(interval)}}}}}" if interval else _tex(cell)
        for cell, interval in _cells(table, row)
    )
    return [first + _arrow(row.better, *_TEX_ARROWS), *others]


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
