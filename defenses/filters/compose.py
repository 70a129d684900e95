"""From a text such as "median+detect" to a chain of defences."""

from collections.abc import Mapping
from dataclasses import Field, fields
from difflib import get_close_matches
from typing import Any

from rgbdsod.defenses.filters.chain import Chain
from rgbdsod.defenses.filters.grammar import NONE, parse
from rgbdsod.defenses.filters.table import DEFENSES
from rgbdsod.defenses.patch.purifier import Defence
from rgbdsod.errors import UsageError

_BOTH = ("rgb", "depth")
_HIDDEN = ("model", "judge", "rebuilder", "limits", "scales", "seed")


def compose(text: str, *, seed: int = 0) -> Chain:
    """A chain of defences, in the order of the text.

    Args:
        text: names of `DEFENSES` joined by "+", each perhaps with settings: "jpeg(quality=50)+tv". "none" is the empty
            chain.
        seed: of the defences that draw.

    Raises:
        UsageError: a name, a setting, a value or an order that cannot be, with what can.

    Example:
        >>> from rgbdsod.defenses import compose
        >>> compose("jpeg(quality=50)+tv").differentiable
        'bpda'
    """
    parts = parse(text)
    made = [_made(part.name, part.settings, seed) for part in parts]
    kept = frozenset(place for place, part in enumerate(parts) if "threshold" in part.settings)
    return Chain(name="+".join(part.text for part in parts) or NONE, parts=tuple(made), kept=kept)


def _made(name: str, settings: Mapping[str, str], seed: int) -> Defence:
    kind = DEFENSES[name].load()
    known = {one.name: one for one in settings_of(name)}
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f'did you mean "{close[0]}"? ' if close else ""
            raise UsageError(f'defence {name} has no setting "{key}"; {hint}its settings are {", ".join(known)}')
        values[key] = _value(name, known[key], text)
    if name == "depurator" and not 0 <= values.get("threshold", 0) <= 1:
        raise UsageError(
            f"--defense depurator(threshold={settings['threshold']}): pass a mean distance of two maps, 0 to 1, such "
            "as the paper's 0.15"
        )
    if kind.random:
        values["seed"] = seed
    return kind(**values)


def settings_of(name: str) -> list[Field[Any]]:
    """The settings of a defence that a text can have."""
    row = DEFENSES[name]
    hidden = _HIDDEN if row.reads == "each input" else (*_HIDDEN, "on")
    return [one for one in fields(row.load()) if one.init and one.name not in hidden]


def _value(name: str, setting: Field[Any], text: str) -> Any:
    """A setting's value, read as the type of its default."""
    where = f"--defense {name}({setting.name}={text})"
    if setting.name == "on":
        if text not in (*_BOTH, "both"):
            raise UsageError(f"{where}: expected rgb, depth or both")
        return _BOTH if text == "both" else (text,)
    if isinstance(setting.default, str):
        return text
    try:
        above, slash, below = text.partition("/")
        number = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{where}: expected a number, such as {_example(setting)}") from None
    if not abs(number) < float("inf"):
        raise UsageError(f"{where}: expected a finite number, such as {_example(setting)}")
    if isinstance(setting.default, int):
        if number != int(number):
            raise UsageError(f"{where}: expected a whole number, such as {_example(setting)}")
        return int(number)
    return number


def _example(setting: Field[Any]) -> str:
    return "0.05" if setting.default is None else str(setting.default)
