"""Pages of the API reference, one for each room, written while the site is built.

A room's stub says what is public; mkdocstrings takes signatures and docstrings from the source. So a public name is on
the site as soon as it is in a stub, and nothing is imported.
"""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / ".build" / "api" / "rgbdsod"
"""The package in one piece, as it is when installed; in a checkout four rooms lie beside it."""
BESIDE = ("attacks", "datasets", "defenses", "fusion")
ROOMS = ("attacks", "clip", "datasets", "defenses", "fusion", "metrics", "models", "report", "run")


def on_startup(**_: Any) -> None:
    """Make the folder of the package, since mkdocstrings looks into folders only that are there when it begins."""
    PACKAGE.mkdir(parents=True, exist_ok=True)


def on_files(files: "Files", *, config: "MkDocsConfig") -> "Files":
    """Add a page for the package and one for each room."""
    from mkdocs.structure.files import File

    assemble()
    for room in ("", *ROOMS):
        name = room or "rgbdsod"
        files.append(File.generated(config, f"api/{name}.md", content=page(room)))
    return files


def assemble() -> None:
    """Copy the source of the package and of the rooms beside it to one place."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    for source, target in [("rgbdsod", PACKAGE), *((room, PACKAGE / room) for room in BESIDE)]:
        shutil.copytree(ROOT / source, target, ignore=_other_than_python)


def page(room: str) -> str:
    """The Markdown of a room's page: its public names below the parts of the room that they come from.

    Args:
        room: name of a room; "" for the package itself.
    """
    folder = _folder(room)
    dotted = f"rgbdsod.{room}" if room else "rgbdsod"
    lines = [f"# {dotted}", _docstring(folder / "__init__.py")]
    for part, names in _parts(folder / "__init__.pyi"):
        about = _docstring(_source(folder, part)) if room else ""
        lines += [f"## {part}", about] if room else []
        lines += [_entry(dotted, name, home) for name, home in names]
    return "\n\n".join(line for line in lines if line) + "\n"


def public_names(stub: Path) -> Iterator[tuple[str, str]]:
    """Each name that a stub exports from a module below it, and the module: ("pgd", "gradient.pgd")."""
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((alias.asname or alias.name, node.module) for alias in node.names)


def _parts(stub: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The public names by the first part of where they come from."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for name, module in public_names(stub):
        parts.setdefault(module.partition(".")[0], []).append((name, module))
    yield from parts.items()


def _entry(dotted: str, name: str, module: str) -> str:
    """The directive of a name, by its public path unless a module has that path too."""
    clash = module.partition(".")[0] == name or (dotted == "rgbdsod" and name in ROOMS)
    path = f"{dotted}.{module}.{name}" if clash else f"{dotted}.{name}"
    return f"::: {path}\n    options:\n      heading: {name}"


def _folder(room: str) -> Path:
    return ROOT / room if room in BESIDE else ROOT / "rgbdsod" / room


def _source(folder: Path, part: str) -> Path:
    package = folder / part / "__init__.py"
    return package if package.exists() else folder / f"{part}.py"


def _docstring(file: Path) -> str:
    """What a module says about itself."""
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def _other_than_python(folder: str, names: list[str]) -> set[str]:
    kept = (name for name in names if name.endswith((".py", ".pyi")) or (Path(folder) / name).is_dir())
    return set(names) - set(kept) | {"__pycache__"}
