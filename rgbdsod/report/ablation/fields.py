"""JSON objects into dataclasses: every field that is missing or of another type is told by its place."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rgbdsod.errors import DataError

T = TypeVar("T")
_NAMES = {str: "text", int: "a whole number", float: "a number", dict: "an object", tuple: "a list of numbers"}


def read_object(cls: type[T], value: Any, place: str) -> T:
    """An instance of a dataclass from a JSON object; keys that the class does not know are left alone.

    Args:
        cls: its fields are of type str, int, float, dict or tuple of floats, or one of these or None.
        value: as `json.loads` gave it; NaN counts as None.
        place: where it stands, for the error.

    Raises:
        DataError: it is no object, lacks a field, or a field holds another type.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{place} is {_said(value)}, expected an object; repeat the ablation")
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # T is a dataclass
    return cls(**{name: _field(value, name, hints[name], place) for name in names})


def read_objects(cls: type[T], value: Any, place: str) -> tuple[T, ...]:
    """A list of such objects.

    Raises:
        DataError: it is no list, or one of its objects is broken.
    """
    if not isinstance(value, list):
        raise DataError(f"{place} is {_said(value)}, expected a list; repeat the ablation")
    return tuple(read_object(cls, own, f"{place}[{number}]") for number, own in enumerate(value))


def _field(values: Mapping[str, Any], name: str, hint: Any, place: str) -> Any:
    options = get_args(hint) if get_origin(hint) is not dict and type(None) in get_args(hint) else (hint,)
    value = values.get(name)
    if isinstance(value, float) and math.isnan(value):
        value = None
    if value is None:
        if type(None) in options:
            return None
        raise DataError(f'{place} has no "{name}"; repeat the ablation')
    wanted = get_origin(options[0]) or options[0]
    found = _convert(value, wanted)
    if found is None:
        raise DataError(f"{place}.{name} is {_said(value)}, expected {_NAMES[wanted]}; repeat the ablation")
    return found


def _convert(value: Any, wanted: type) -> Any:
    """The value in the wanted type; None where it is of another."""
    if isinstance(value, bool):
        return None
    if wanted is float:
        return float(value) if isinstance(value, int | float) else None
    if wanted is tuple:
        numbers = isinstance(value, list) and all(isinstance(own, int | float) for own in value)
        return tuple(float(own) for own in value) if numbers else None
    return value if isinstance(value, wanted) else None


def _said(value: Any) -> str:
    """What came, in a few letters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
