"""What a text such as "median+detect" says: names with settings, in an order that can be. No torch here."""

import re
from typing import NamedTuple

from rgbdsod.defenses.filters.table import DEFENSES
from rgbdsod.errors import UsageError

NONE = "none"
"""The text of the empty chain."""

_PART = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:\((.*)\))?")


class Part(NamedTuple):
    """One defence of a chain.

    Args:
        name: of a row in `DEFENSES`.
        settings: as typed.
    """

    name: str
    settings: dict[str, str]

    @property
    def text(self) -> str:
        """As it would be typed."""
        own = ",".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.name}({own})" if own else self.name


def parse(text: str) -> list[Part]:
    """The parts of a chain, in their order.

    Raises:
        UsageError: names and orders that cannot be, with what can.
    """
    if text.strip() == NONE:
        return []
    parts = [_part(part, text) for part in split(text, "+")]
    _check_order([part.name for part in parts])
    return parts


def needs_clean(text: str) -> bool:
    """Whether clean images set a threshold of some part."""
    return any(DEFENSES[part.name].kind == "switch" for part in parse(text))


def split(text: str, mark: str) -> list[str]:
    """Parts of a text between marks that stand outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _part(part: str, text: str) -> Part:
    if not part:
        raise UsageError(f'--defense "{text}" has an empty part; join names by one +, such as median+detect')
    found = _PART.fullmatch(part)
    if found is None:
        raise UsageError(f'--defense "{part}": expected a name, or a name with settings such as jpeg(quality=50)')
    if found[1] == NONE:
        raise UsageError('--defense: "none" stands alone; leave it out of a chain')
    DEFENSES[found[1]]  # raises with a hint
    settings = {}
    for one in split(found[2], ",") if found[2] and found[2].strip() else []:
        key, sign, value = (word.strip() for word in one.partition("="))
        if not (key and sign and value):
            raise UsageError(f"--defense {found[1]}({one}): expected NAME=VALUE, such as jpeg(quality=50)")
        if key in settings:
            raise UsageError(f"--defense {part}: {key} is given twice; keep one of them")
        settings[key] = value
    return Part(found[1], settings)


def _check_order(names: list[str]) -> None:
    """A switch may drop an input, and what comes after it would work on what is no image any more."""
    switches = [name for name in names if DEFENSES[name].kind == "switch"]
    if len(switches) > 1:
        raise UsageError(
            f"--defense: {switches[0]} and {switches[1]} both drop inputs, and the second would judge what the first "
            f"replaced; keep one of them"
        )
    if switches and names[-1] != switches[0]:
        others = [name for name in names if name != switches[0]]
        raise UsageError(
            f"--defense: {names[names.index(switches[0]) + 1]} after {switches[0]} would work on an input that was "
            f"dropped; write {'+'.join([*others, switches[0]])}"
        )
