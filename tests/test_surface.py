"""The public names are listed in `public_names.txt`; removing one must be a decision."""

import ast
from importlib import import_module
from pathlib import Path

import rgbdsod

PACKAGES = ["rgbdsod"] + [
    f"rgbdsod.{room}"
    for room in ["attacks", "clip", "datasets", "defenses", "fusion", "metrics", "models", "report", "run"]
]


def _surface() -> list[str]:
    return [f"{package}.{name}" for package in PACKAGES for name in sorted(import_module(package).__all__)]


def test_public_names_are_the_listed_ones() -> None:
    listed = (Path(__file__).parent / "public_names.txt").read_text().split()
    assert _surface() == listed, "update tests/public_names.txt in the same change, and the CHANGELOG"


def test_every_public_name_exists_and_is_documented() -> None:
    for dotted in _surface():
        package, name = dotted.rsplit(".", 1)
        value = getattr(import_module(package), name)
        if callable(value):
            assert value.__doc__, f"{dotted} has no docstring"


def test_the_stub_of_the_package_names_what_it_exports() -> None:
    tree = ast.parse((Path(rgbdsod.__file__).with_suffix(".pyi")).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports if node.module for alias in node.names}
    rooms = {alias.name for node in imports if not node.module for alias in node.names}
    assert names | {"__version__"} == set(rgbdsod.__all__)
    assert names | rooms | {"__version__"} == set(dir(rgbdsod))
    assert all(getattr(rgbdsod, room).__name__ == f"rgbdsod.{room}" for room in rooms)
