"""A user's own model: a function in a Python file."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from torch import nn

from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.models.base import SaliencyModel
from rgbdsod.models.wrap import wrap

_NAME = re.compile(r"(?P<file>.+\.py)(?::(?P<function>\w*))?")


def is_user_model(name: str) -> bool:
    """Whether a model's name has the form FILE.py:function."""
    return _NAME.fullmatch(name) is not None


def user_model(name: str) -> SaliencyModel:
    """The model that a function in a file returns.

    Args:
        name: "FILE.py:function"; the function takes no arguments and returns a `SaliencyModel`, or a torch module,
            which is wrapped with the defaults of `wrap`.

    Raises:
        UsageError: no such file or function, the function fails, or it returns something else.
    """
    found = _NAME.fullmatch(name)
    file, function = (Path(found["file"]), found["function"]) if found else (Path(name), None)
    if not function:
        raise UsageError(f"{name}: name the function that returns the model, as in --model {file}:build")
    made = _call(file, function)
    if isinstance(made, nn.Module) and not isinstance(made, SaliencyModel):
        made = wrap(made, name=f"{file.stem}.{function}")
    if not isinstance(made, SaliencyModel):
        raise UsageError(f"{name} returned {type(made).__name__}; return a torch module, or what rgbdsod.wrap returns")
    return made


def _call(file: Path, function: str) -> Any:
    """What a function in a file returns; the file is run as a module of its own."""
    if not file.is_file():
        raise UsageError(f"no file {file}; --model takes a name of `rgbdsod list models` or FILE.py:function")
    try:
        make = getattr(_module(file), function, None)
        if not callable(make):
            raise UsageError(f'{file} has no function "{function}"')
        return make()
    except RgbdsodError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise UsageError(f"{file}:{function} failed: {type(error).__name__}: {error}") from error


def _module(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"rgbdsod_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look their module up
    spec.loader.exec_module(module)
    return module
