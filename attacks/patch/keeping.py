"""The state of a fit as a file, so that an interrupted one goes on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save
from torch import Tensor

from rgbdsod.attacks.patch.file import write_patch
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import expecting, reason
from rgbdsod.foreign.tensors import read_tensors

_SCHEMA = "rgbdsod.patch-fit/1"


class Kept(NamedTuple):
    """A fit between two steps.

    Args:
        tensors: the patch, the best one, and what Adam remembers.
        step: steps made.
        moves: those of them that moved the patch.
        value: of the best patch.
        looks: what each look found.
        streaks: for how many steps each cost has outweighed the attack.
    """

    tensors: dict[str, Tensor]
    step: int
    moves: int
    value: float
    looks: list[float]
    streaks: dict[str, int]


def digest(settings: Mapping[str, Any]) -> str:
    """A name for settings, in JSON's types."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write_fit(path: Path, kept: Kept, settings: str) -> None:
    """Write a state; it appears whole or not at all.

    Args:
        path: the file.
        kept: the state.
        settings: their digest.

    Raises:
        DataError: it cannot be written.
    """
    tensors = {name: value.detach().cpu().clone() for name, value in kept.tensors.items()}
    about = {
        "step": kept.step,
        "moves": kept.moves,
        "value": kept.value,
        "looks": kept.looks,
        "streaks": kept.streaks,
        "settings": settings,
    }
    write_patch(path.parent, {path.name: save(tensors, {"schema": _SCHEMA, "about": json.dumps(about)})})


def read_fit(path: Path, settings: str) -> Kept | None:
    """A state that was written; None where there is no file.

    Args:
        path: the file.
        settings: the digest of those in use.

    Raises:
        DataError: it is damaged, or no state of a fit.
        UsageError: it belongs to other settings.
    """
    if not path.exists():
        return None
    try:
        tensors, known = read_tensors(path)
        about = parse_json(known["about"]) if known.get("schema") == _SCHEMA else None
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged ({reason(error)}); delete it to begin anew") from error
    if about is None:
        raise DataError(f"{path} holds no state of a fit; pass another file")
    with expecting(str(path), "delete it to begin anew"):
        if about["settings"] != settings:
            raise UsageError(f"{path} belongs to a fit with other settings; delete it, or pass another file")
        looks = [float(look) for look in about["looks"]]
        counts = int(about["step"]), int(about["moves"])
        return Kept(tensors, *counts, float(about["value"]), looks, dict(about.get("streaks", {})))
