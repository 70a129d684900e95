"""Model and data as flags name them, and how they are shown and recorded."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rgbdsod.cli.screen import Screen
from rgbdsod.errors import UsageError
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.sizes import check_size
from rgbdsod.models.table import MODELS

if TYPE_CHECKING:
    from rgbdsod.datasets import Dataset
    from rgbdsod.models import SaliencyModel
    from rgbdsod.run.execute import Outcome, Target

_SKIPPED = "--empty skip leaves it out"


def known_inputs(model: str, fusion: str | None = None) -> tuple[str, ...] | None:
    """The inputs of a model by name and fusion, without loading it; None for a user's file.

    Raises:
        UsageError: there is no such name or fusion.
    """
    return None if ".py" in model else tuple(with_fusion(MODELS[model], fusion).inputs)


def working_size(flags: Mapping[str, Any]) -> tuple[int, int] | None:
    """`--size` of a network, before it is loaded; None is its own.

    Raises:
        UsageError: it is no size, or none that the model of that name works at.
    """
    size = parse_size(flags["size"])
    if size is not None and ".py" not in flags["model"]:
        check_size(flags["model"], size, MODELS[flags["model"]].multiple)
    return size


def parse_size(text: str | None) -> tuple[int, int] | None:
    """HxW, or H,W as the two numbers of a config.toml arrive."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d*)[xX,]([1-9]\d*)", text)
    if found is None:
        raise UsageError(f"--size {text}: expected HxW, for example 128x128")
    return int(found[1]), int(found[2])


def open_model(flags: Mapping[str, Any], size: tuple[int, int] | None = None) -> "SaliencyModel":
    """The model of `--model --weights --fusion --encoder --device`.

    Args:
        flags: a command's parameters by name.
        size: height and width that it works at; None: its own.
    """
    from rgbdsod.models import load_model

    model = load_model(
        flags["model"],
        weights=flags.get("weights"),
        fusion=flags.get("fusion"),
        encoder=flags.get("encoder"),
        device=flags["device"],
    )
    return model if size is None else model.at(size)


def open_data(flags: Mapping[str, Any], screen: Screen) -> "Dataset":
    """The images of `--data --limit --ids` and the depth flags; what is odd about them is shown."""
    from rgbdsod.datasets import load_dataset

    data = load_dataset(
        flags["data"],
        limit=flags.get("limit"),
        ids=split(flags.get("ids")),
        depth_invert=flags.get("depth_invert"),
        depth_range=depth_range(flags.get("depth_range")),
        depth_unit=flags.get("depth_unit"),
        resize_depth=bool(flags.get("resize_depth")),
        intersect=bool(flags.get("intersect")),
    )
    for text in data.warnings:
        if not (flags.get("empty") == "skip" and _SKIPPED in text):
            screen.warn(text)
    return data


def given(flags: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Flags that numbers depend on, as they were given; for config.toml."""
    return {name: flags[name] for name in names if flags.get(name) not in (None, False, [], ())}


def split(text: str | None) -> list[str] | None:
    """A list with commas."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def batch_size(text: str) -> int | None:
    """`--batch N|auto`; None is auto."""
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--batch {text}: expected a number from 1 on, or auto")
    return int(text)


def describe_model(model: "SaliencyModel") -> str:
    """Name, origin, size and checksum of a model."""
    card = model.card
    parts = [card.source]
    if card.bytes:
        parts.append(f"{card.bytes / 1e6:.1f} MB")
    if card.sha256:
        parts.append(f"sha256 {card.sha256[:8]}")
    return f"{card.name}   {', '.join(parts)}"


def target(flags: Mapping[str, Any]) -> "Target":
    """Where `--out --name --restart` say that the run is written."""
    from rgbdsod.run.execute import Target

    return Target(out=flags["out"], name=flags["name"], restart=flags["restart"], arguments=command_line())


def command_line() -> str:
    """What the user typed."""
    return shlex.join(["rgbdsod", *sys.argv[1:]])


class Finished(Protocol):
    """A result with a document and a run folder."""

    @property
    def outcome(self) -> "Outcome":
        """What the run left."""
        ...

    @property
    def folder(self) -> Path | None:
        """The run folder."""
        ...

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        ...


def show_result(screen: Screen, result: Finished, table: str, warnings: Sequence[str] = ()) -> None:
    """The document, or the table, what is suspicious, and where the run lies."""
    if screen.as_json:
        screen.document(result.document())
        return
    if result.outcome.reused:
        screen.header("done    already, and read from its folder; --restart repeats it")
    screen.result(table)
    for text in warnings:
        screen.warn(text)
    screen.result(f"saved   {result.folder}    open with: rgbdsod report {shlex.quote(str(result.folder))}")


def set_deterministic(wanted: bool) -> None:
    """`--deterministic`: kernels whose result depends on nothing but their inputs."""
    if wanted:
        import os

        import torch

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def depth_range(text: str | None) -> tuple[float, float] | None:
    """The two numbers of `--depth-range`."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--depth-range {text}: expected two numbers, A,B") from None
    return low, high
