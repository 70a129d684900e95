"""A user's own model: a function in a Python file."""

from torch import nn

from rgbdsod.errors import UsageError
from rgbdsod.models.base import SaliencyModel
from rgbdsod.models.user_code import is_user_code, short_name, user_object
from rgbdsod.models.wrap import wrap


def is_user_model(name: str) -> bool:
    """Whether a model's name has the form FILE.py:function."""
    return is_user_code(name)


def user_model(name: str) -> SaliencyModel:
    """The model that a function in a file returns.

    Args:
        name: "FILE.py:function"; the function takes no arguments and returns a `SaliencyModel`, or a torch module,
            which is wrapped with the defaults of `wrap`.

    Raises:
        UsageError: no such file or function, the function fails, or it returns something else.
    """
    made = user_object(name, "model")
    if isinstance(made, nn.Module) and not isinstance(made, SaliencyModel):
        made = wrap(made, name=short_name(name))
    if not isinstance(made, SaliencyModel):
        raise UsageError(f"{name} returned {type(made).__name__}; return a torch module, or what rgbdsod.wrap returns")
    return made
