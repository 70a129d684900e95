"""Training checkpoints: tensors and plain numbers only, written whole or not at all."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import torch

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import expecting, read_text
from rgbdsod.models.checkpoint import read_content


@dataclass
class Progress:
    """How far a training has come.

    Args:
        settings: what the training was begun with.
        iteration: steps done.
        best: measures of the best weights so far, and their iteration.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    iteration: int = 0
    best: dict[str, float] = field(default_factory=dict)


def save_checkpoint(path: Path, model: torch.nn.Module, progress: Progress, **others: Any) -> None:
    """Write model, progress and the state dicts in `others` under a temporary name, then rename."""
    state = {"model": model.state_dict(), "progress": asdict(progress)}
    state |= {name: value.state_dict() for name, value in others.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def read_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read a checkpoint; only tensors and plain numbers are unpickled.

    Returns:
        How far the training had come, and the state dicts by name.

    Raises:
        WeightsError: the file is damaged, or no checkpoint of a training.
    """
    try:
        state = read_content(path)
    except WeightsError as error:
        raise WeightsError(f"cannot continue: {error}, or use --restart to begin anew") from error
    with resuming(path):
        progress = Progress(**state.pop("progress"))
        if not isinstance(progress.iteration, int) or not isinstance(progress.settings, dict):
            raise TypeError("it does not say how far it came")
    return progress, state


def resuming(path: Path) -> AbstractContextManager[None]:
    """Within it, parts of a checkpoint that do not fit become one sentence."""
    return expecting(str(path), "use --restart to begin anew", WeightsError)


def read_log(path: Path, iteration: int) -> list[dict[str, Any]]:
    """The events of a training up to an iteration; a line that a killed process left half-written is none."""
    with resuming(path):
        lines = read_text(path).splitlines() if path.is_file() else []
    events = []
    for line in lines:
        with suppress(ValueError):
            events.append(parse_json(line))
    return [own for own in events if isinstance(own, dict) and _number(own.get("iteration")) <= iteration]


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else inf


def refuse_other_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A training continues with its own settings, or not at all.

    Args:
        folder: of the training.
        before: settings of its checkpoint; now: those that are asked for. What only `before` has is not looked at.

    Raises:
        UsageError: they differ; names each difference.
    """
    before, now = json.loads(json.dumps(before)), json.loads(json.dumps(now))
    changed = [f"{key}={before.get(key)}, now {now[key]}" for key in now if before.get(key) != now[key]]
    if changed:
        raise UsageError(f"{folder} holds a training with {'; '.join(changed)}; use --restart, or another --out")
