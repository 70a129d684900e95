"""Imports run one way, and a room loads torch only when it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVEL = {
    "errors": 0, "registry": 0, "types": 0,
    "foreign": 1,
    "attacks": 2, "datasets": 2, "fusion": 2, "metrics": 2,
    "models": 3, "defenses": 3,
    "clip": 4,
    "run": 5, "report": 5,
    "cli": 6,
}  # fmt: skip
ROOMS = {room: ROOT / room for room in ("attacks", "datasets", "fusion", "defenses")} | {
    room: ROOT / "rgbdsod" / room for room in ("clip", "foreign", "models", "metrics", "run", "report", "cli")
}
FILES = [(room, path) for room, folder in ROOMS.items() for path in sorted(folder.rglob("*.py"))]


def _imported_rooms(path: Path) -> set[str]:
    """Rooms of rgbdsod that a file imports anywhere, also inside functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name.split(".")[1] for name in names if name.startswith("rgbdsod.")}
    return found & set(LEVEL)


@pytest.mark.parametrize(("room", "path"), FILES, ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_imports_run_one_way(room: str, path: Path) -> None:
    """A room imports only rooms below it."""
    for other in _imported_rooms(path) - {room}:
        assert LEVEL[other] < LEVEL[room], f"{path.relative_to(ROOT)} imports {other}, which is not below {room}"


def test_the_check_sees_an_upward_arrow(tmp_path: Path) -> None:
    """The parser finds imports in every form."""
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from rgbdsod import run\n    import rgbdsod.cli.main\n    from rgbdsod.models.base import A\n"
    )
    assert _imported_rooms(file) == {"run", "cli", "models"}


def test_no_python_file_at_the_root() -> None:
    """A Python file at the root would put the root, and so `datasets`, on sys.path."""
    assert list(ROOT.glob("*.py")) == []


def test_importing_every_room_loads_no_torch() -> None:
    """`rgbdsod --help` must stay fast."""
    rooms = ["attacks", "clip", "datasets", "defenses", "fusion", "metrics", "models", "run", "report", "cli"]
    code = "import sys\n" + "".join(f"import rgbdsod.{room}\n" for room in rooms)
    code += "print(sorted({'torch', 'numpy', 'cv2', 'timm'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "tests")
    assert out.stdout.strip() == "[]"
