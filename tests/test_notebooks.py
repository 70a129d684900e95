"""The notebooks of the documentation run, and are kept without what they print.

The site is built from the same notebooks with a kernel; here their cells run in this process, which loads torch once.
"""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
EVERY = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)


def test_the_four_tasks_have_one() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == ["attack", "defend", "fusion", "patches"]


@EVERY
def test_cells_run_one_after_the_other(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(f"notebook_{notebook.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        for number, cell in enumerate(_code(notebook)):
            exec(compile("".join(cell["source"]), f"{notebook.name}, code cell {number}", "exec"), vars(module))


@EVERY
def test_nothing_printed_is_kept(notebook: Path) -> None:
    cells = _code(notebook)
    assert cells
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []


def _code(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]
