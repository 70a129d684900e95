"""A user's own code: what a function in a Python file returns."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from rgbdsod.errors import RgbdsodError, UsageError

_NAME = re.compile(r"(?P<file>.+\.py)(?::(?P<function>\w*))?")


def is_user_code(name: str) -> bool:
    """Whether a name has the form FILE.py:function."""
    return _NAME.fullmatch(name) is not None


def user_object(name: str, kind: str) -> Any:
    """What a function in a file returns; the file is run as a module of its own.

    Args:
        name: "FILE.py:function"; the function takes no arguments.
        kind: what it should return: "model" or "detector", as the flag and the list are called.

    Raises:
        UsageError: no such file or function, or the function fails.
    """
    found = _NAME.fullmatch(name)
    file, function = (Path(found["file"]), found["function"]) if found else (Path(name), None)
    if not function:
        raise UsageError(f"{name}: name the function that returns the {kind}, as in --{kind} {file}:build")
    if not file.is_file():
        raise UsageError(f"no file {file}; --{kind} takes a name of `rgbdsod list {kind}s` or FILE.py:function")
    try:
        make = getattr(_module(file), function, None)
        if not callable(make):
            raise UsageError(f'{file} has no function "{function}"')
        return make()
    except RgbdsodError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise UsageError(f"{file}:{function} failed: {type(error).__name__}: {error}") from error


def short_name(name: str) -> str:
    """How tables call "FILE.py:function"."""
    found = _NAME.fullmatch(name)
    return name if found is None else f"{Path(found['file']).stem}.{found['function']}"


def _module(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"rgbdsod_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look their module up
    spec.loader.exec_module(module)
    return module
