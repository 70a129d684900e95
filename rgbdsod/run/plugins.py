"""Models and attacks that others add: by a file, a module, or an installed package's entry points."""

import importlib.util
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from rgbdsod.errors import RgbdsodError, UsageError

GROUPS = ("rgbdsod.models", "rgbdsod.attacks")
"""Entry points of an installed plug-in: each names a module that adds rows to the tables when it is imported."""


def load_plugins(named: Iterable[str] = ()) -> None:
    """Import what adds rows to the tables.

    Args:
        named: files ("FILE.py") and modules that a user named; those of installed packages are found by themselves.

    Raises:
        UsageError: one cannot be imported.
    """
    from importlib.metadata import entry_points  # takes a while to import

    for entry in (entry for group in GROUPS for entry in entry_points(group=group)):
        _import(entry.value.partition(":")[0])
    for name in named:
        _import(name)


def _import(name: str) -> None:
    try:
        if name.endswith(".py"):
            _run_file(Path(name))
        else:
            import_module(name)
    except RgbdsodError:
        raise
    except Exception as error:  # whatever the plug-in's code raises
        raise UsageError(f"--plugin {name} failed: {type(error).__name__}: {error}") from error


def _run_file(path: Path) -> None:
    """Import a file as a module; the same file is imported once, since its rows can be added only once."""
    key = f"rgbdsod_plugin_{path.resolve()}"
    if key in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(key, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin {path}: no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
