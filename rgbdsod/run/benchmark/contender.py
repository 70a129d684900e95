"""A network of a benchmark before it is loaded: which architecture, which weights, trained how. No torch here."""

import glob
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from string import Formatter

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.table import MODELS

SALIENCY, ZERO_SHOT = "saliency", "zero-shot"

WORLDS = (SALIENCY, ZERO_SHOT)
"""Maps from RGB and depth; classes of an image."""

PLACES = ("model", "fusion", "training", "seed")
"""What the name of a weights file may hold in braces."""

_UNFIT_FOR_FILES = re.compile(r"[/:]")


@dataclass(frozen=True)
class Contender:
    """What is attacked.

    Args:
        world: of `WORLDS`.
        model: what `rgbdsod.load_model`, or `rgbdsod.clip.load_clip`, calls it.
        weights: a file, perhaps with `PLACES` in braces and wildcards; None: the built-in weights.
        fusion: where its inputs meet; None: as published.
        training: how it was trained, in a word that `weights` names; it changes nothing else.
        size: height and width that it works at; None: its own.

    Raises:
        UsageError: there is no such model or fusion, or the settings do not fit together.
    """

    world: str
    model: str
    weights: str | None = None
    fusion: str | None = None
    training: str | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise UsageError(f'no world "{self.world}"; a suite has {" or ".join(WORLDS)}')
        if self.world == ZERO_SHOT and (self.fusion or self.size):
            raise UsageError(f"fusion and size are of saliency networks; {self.model} is in the world zero-shot")
        named = self._named_in_weights()
        if self.training is not None and "training" not in named:
            raise UsageError(f'training "{self.training}" needs weights that name it, for example "{{training}}.pt"')
        for place in ("fusion", "training"):
            if place in named and getattr(self, place) is None:
                raise UsageError(f"weights {self.weights} names {{{place}}}, but there is no {place}")
        if self.world == SALIENCY and not self.of_user:
            row = MODELS[self.model]
            if with_fusion(row, self.fusion) is not row and self.weights is None:
                raise UsageError(
                    f"{self.model} with fusion {self.fusion} has no built-in weights; name a file: weights"
                )

    @property
    def of_user(self) -> bool:
        """Whether the model is a function in a user's file."""
        return ".py" in self.model

    @property
    def inputs(self) -> tuple[str, ...] | None:
        """What it reads; None where only loading tells."""
        if self.world != SALIENCY or self.of_user:
            return None
        return tuple(with_fusion(MODELS[self.model], self.fusion).inputs)

    @property
    def name(self) -> str:
        """The full name of its model, which stands for the built-in weights alone."""
        if self.world == SALIENCY and not self.of_user and self.weights is None:
            return MODELS[self.model].full_name
        return "clip.demo" if self.model == "clip" and self.weights is None else self.model

    @property
    def label(self) -> str:
        """Its name in tables: "bbsnet.demo", "bbsnet, early, itc", "bbsnet, runs/mine.safetensors"."""
        file = self.weights if self.weights and not self._named_in_weights() & {"fusion", "training"} else None
        parts = [self.name, self.fusion, self.training, file, self.size and f"{self.size[0]}x{self.size[1]}"]
        return ", ".join(part for part in parts if part)

    def file(self, seed: int) -> Path | None:
        """The weights of one seed; None: the built-in ones.

        Raises:
            WeightsError: there is no such file, or several.
        """
        if self.weights is None:
            return None
        values = {"model": self.model, "fusion": self.fusion, "training": self.training, "seed": str(seed)}
        safe = {name: _UNFIT_FOR_FILES.sub("_", value or "") for name, value in values.items()}
        pattern = self.weights.format(**{name: glob.escape(value) for name, value in safe.items()})
        plain = Path(self.weights.format(**safe))
        matches = glob.glob(pattern)  # noqa: PTH207  (Path.glob takes no absolute pattern)
        found = [plain] if plain.exists() else [Path(match) for match in sorted(matches)]
        if not found:
            raise WeightsError(f"no weights {plain}; train them first, or correct weights in the suite")
        if len(found) > 1:
            listed = ", ".join(map(str, found[:3]))
            raise WeightsError(f"weights {plain} are {len(found)} files ({listed}); name one in the suite")
        return found[0]

    def _named_in_weights(self) -> set[str]:
        """Names in braces."""
        try:
            parsed = list(Formatter().parse(self.weights or ""))
        except ValueError as error:
            raise UsageError(f"weights {self.weights}: {error}; braces hold one of {', '.join(PLACES)}") from error
        parts = [(name, form, conversion) for _, name, form, conversion in parsed if name is not None]
        for name, form, conversion in parts:
            if name not in PLACES or form or conversion:
                close = get_close_matches(name, PLACES, n=1)
                hint = f'did you mean "{{{close[0]}}}"? ' if close else ""
                raise UsageError(f"weights {self.weights}: no {{{name}}}; {hint}Braces hold {', '.join(PLACES)}")
        return {name for name, _, _ in parts}


def content_of(file: Path) -> str:
    """SHA-256 (hex) of a weights file, or of all files of a folder.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        files = sorted(path for path in file.iterdir() if path.is_file()) if file.is_dir() else [file]
        found = [_hash(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    except OSError as error:
        raise WeightsError(f"weights {file} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return found[0] if len(found) == 1 else sha256("\n".join(found).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _hash(path: Path, changed: int, size: int) -> str:
    """Of one file, read once while it does not change."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
