"""One place of a benchmark: an attack within a radius on one network and its images. No torch here."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from rgbdsod.attacks.budget import check_eps
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.run.benchmark.contender import SALIENCY, Contender, content_of
from rgbdsod.run.threats import show_eps

IMAGE, BOTH = "image", "both"
"""The modality of a classifier; all inputs of a network that reads two."""

Parameter = str | int | float | bool

_STEPS = re.compile(r"(.+)-(\d+)")
_UNFIT = re.compile(r"[^A-Za-z0-9.]+")
_STEM = 120  # characters of a folder's name that only people read


@dataclass(frozen=True)
class Assault:
    """An attack with those of its parameters that are not the usual ones.

    Args:
        method: a name of `list_attacks()`.
        parameters: name and value, in the order of the names.

    Raises:
        UsageError: no such attack, or one that looks for no worst point within an Linf radius.
    """

    method: str
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __post_init__(self) -> None:
        row = ATTACKS[self.method]
        if "linf" not in row.norms or row.aim != "strongest":
            raise UsageError(f'attack "{row.name}" looks for no worst point within an Linf radius; use pgd, apgd, ...')
        object.__setattr__(self, "parameters", tuple(sorted(self.parameters)))

    @classmethod
    def of(cls, text: str, parameters: Mapping[str, Parameter] | None = None) -> "Assault":
        """An attack as people write it, with a number of steps behind it if it is not the usual one: "apgd-20"."""
        found = None if text in ATTACKS else _STEPS.fullmatch(text)
        given: dict[str, Parameter] = {} if found is None else {"steps": int(found[2])}
        given.update(parameters or {})
        return cls(text if found is None else found[1], tuple(given.items()))

    @property
    def label(self) -> str:
        """Its name in tables: "pgd", "pgd-20", "pgd-20 restarts=3"."""
        given = dict(self.parameters)
        steps = f"-{given.pop('steps')}" if "steps" in given else ""
        return " ".join([f"{self.method}{steps}", *(f"{name}={_show(value)}" for name, value in given.items())])


@dataclass(frozen=True)
class Cell:
    """One attack on one network and its data, within one radius, from one seed.

    Args:
        contender: the network.
        data: a saliency data set, or labelled sets with commas.
        assault: the attack.
        modality: the attacked input, "both", or "image".
        eps: Linf radius, in units of the [0, 1] input.
        images: how many of a data set, or of each labelled set; evenly chosen. None: all.
        seed: of the attack's random starts, and of the training where the weights name it.

    Raises:
        UsageError: a name or a number that cannot be.
    """

    contender: Contender
    data: str
    assault: Assault
    modality: str
    eps: float
    images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        row, world = ATTACKS[self.assault.method], self.contender.world
        if row.outputs not in ("any", "maps" if world == SALIENCY else "classes"):
            raise UsageError(f'attack "{row.name}" is for {row.outputs}, not for the world "{world}"')
        check_eps(self.eps, "linf")
        if self.images is not None and self.images < 1:
            raise UsageError(f"--images {self.images}: pass 1 or more")
        if self.seed < 0:
            raise UsageError(f"seed {self.seed}: 0 or more")
        if (self.modality == IMAGE) == (world == SALIENCY):
            usual = "rgb, depth or both" if world == SALIENCY else IMAGE
            raise UsageError(f'modality "{self.modality}" in the world "{world}"; expected {usual}')

    @property
    def possible(self) -> bool:
        """Whether the network has what is attacked; "both" of a single input is that input."""
        inputs = self.contender.inputs
        return inputs is None or (self.modality in inputs) or (self.modality == BOTH and len(inputs) > 1)

    @property
    def label(self) -> str:
        """In words: "bbsnet.demo, demo, pgd-20, rgb, 8/255, seed 0"."""
        radius, seed = show_eps(self.eps), f"seed {self.seed}"
        return ", ".join([self.contender.label, self.data, self.assault.label, self.modality, radius, seed])

    @property
    def key(self) -> str:
        """The name of the cell's folder: readable, and another one wherever the cell differs.

        Weights count by their content, so that a network trained anew gets a cell of its own, and one that was moved
        keeps its cell.

        Raises:
            WeightsError: the weights cannot be read.
        """
        own, file = self.contender, self.contender.file(self.seed)
        what = asdict(self) | {"contender": {**asdict(own), "weights": file and content_of(file), "training": None}}
        digest = sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
        model = Path(own.model).stem if own.of_user else own.model
        radius = show_eps(self.eps).replace("/", "_")
        parts = (model, own.fusion, own.training, self.data.partition(",")[0], self.assault.label, self.modality,
                 radius, str(self.seed))  # fmt: skip
        stem = "-".join(_UNFIT.sub("-", part).strip("-") for part in parts if part)
        return f"{stem[:_STEM].strip('-.')}-{digest}"


def _show(value: Parameter) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
