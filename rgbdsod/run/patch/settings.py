"""What a patch run is asked to do, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from rgbdsod.attacks.patch.compose import DEPTH_MODES
from rgbdsod.attacks.patch.design import Design
from rgbdsod.attacks.patch.gate import GATES
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.natural.families import NATURAL, check_generator
from rgbdsod.attacks.patch.objectives import GOALS
from rgbdsod.attacks.patch.placement import PLACEMENTS, SEEKING, Placement
from rgbdsod.attacks.patch.shapes import parse_share, sides
from rgbdsod.attacks.patch.steps import STARTS
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.errors import UsageError
from rgbdsod.run.modeling import check_dtype
from rgbdsod.run.threats import attacked_inputs

_USUAL: dict[bool, dict[str, Any]] = {
    False: {"steps": 200, "step_size": 2 / 255, "draws": 4, "canvas": 0},
    True: {"steps": 1000, "step_size": 0.03, "draws": 1, "canvas": 64},
}
"""By whether one patch is for all pictures."""

_LEAST = {"steps": 1, "restarts": 1, "draws": 1, "canvas": 0}


@dataclass(frozen=True, kw_only=True)
class PatchSettings:
    """Settings of a search for patches; all but the first are those of `rgbdsod attack --attack patch`.

    Args:
        modality: "rgb", "depth" or "both"; None: all inputs of the model.
        goal: a name of `GOALS`: hide, ghost, swap, degrade, self.
        size: what a patch covers of its picture, "5%" or "0.05".
        shape: "square", "disc", "rounded", sides such as "3:2", or a picture's name: its alpha is the shape.
        where: "random", "fixed", "on-object", "off-object", "boundary", "worst" or "learned".
        at: fixed only: the centre as shares of width and height.
        depth_mode: "surface", "card", "plane", "relief" or "free", where depth is attacked.
        depth_kind: what depth means: "inverse", "unknown", or "metric:NEAR-FAR".
        transforms: what the patch must stand: "none", "digital", "print", "hard", "thys", "tsea" or "art".
        universal: one patch for all pictures instead of one for each.
        steps: of a restart; None: 200, or 1000 for a universal patch.
        step_size: of a pixel; None: 2/255, or 0.03 for a universal patch.
        restarts: runs from different starts; not for a universal patch.
        draws: of the transforms in one gradient; None: 4, or 1 for a universal patch.
        start: "uniform", "grey" or "image" (a crop of a photograph); not for a universal patch.
        canvas: side of the patch's own picture in pixels, 0 for as large as it is seen; None: 0, or 64 for a universal
            patch.
        smooth: weight of the total variation; None: what goes with the transforms.
        printable: weight of the distance to printable colours; None: what goes with the transforms.
        natural: what the patch may show: "none" (anything), "crop", "mix", "lowpass", "vae", "file" or "drawn"; see
            `adversarial_patch`.
        natural_radius: how far that reaches; None: its own.
        crops: a folder of photographs for "crop" and "mix"; "demo": some that come with the package.
        generator: the .safetensors file of "file" and "drawn".
        naturalness: weight of the distance from photographs; None: 0.
        gate: for D3Net: "close" or "open" its depurator, besides the goal; "none".
        seed: of places, starts, transforms and controls.
        dtype: what the network computes in while the patch is sought.
    """

    modality: str | None = None
    goal: str = "hide"
    size: str = "5%"
    shape: str = "square"
    where: str = "random"
    at: str = "0.5,0.5"
    depth_mode: str = "plane"
    depth_kind: str = "unknown"
    transforms: str = "none"
    universal: bool = False
    steps: int | None = None
    step_size: float | None = None
    restarts: int = 1
    draws: int | None = None
    start: str = "uniform"
    canvas: int | None = None
    smooth: float | None = None
    printable: float | None = None
    natural: str = "none"
    natural_radius: float | None = None
    crops: str = "demo"
    generator: str | None = None
    naturalness: float | None = None
    gate: str = "none"
    seed: int = 0
    dtype: str = "float32"

    def checked(self) -> Self:
        """The same settings, in which nothing is open and nothing is wrong.

        Raises:
            UsageError: a name or a number that cannot be.
        """
        usual = _USUAL[self.universal]
        full = replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})
        full._check()
        return full

    def _check(self) -> None:
        _known("--goal", self.goal, tuple(GOALS))
        _known("--transforms", self.transforms, tuple(TRANSFORMS))
        _known("--where", self.where, PLACEMENTS)
        _known("--depth-mode", self.depth_mode, DEPTH_MODES)
        _known("--start", self.start, STARTS)
        _known("--natural", self.natural, NATURAL)
        _known("--gate", self.gate, GATES)
        check_generator(self.natural, self.generator)
        parse_share(self.size, "--size")
        sides(self.shape)
        DepthKind.parse(self.depth_kind)
        Placement(self.where, self.at)
        check_dtype(self.dtype)
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f"--{name} {getattr(self, name)} is too few; pass {least} or more")
        if self.restarts > 1 and self.start == "grey":
            raise UsageError(f"--restarts {self.restarts} all start from grey; use --start uniform")
        if self.universal and self.restarts > 1:
            raise UsageError(f"--restarts {self.restarts}: a universal patch is fitted once; repeat it with --seed")
        if self.universal and self.where in SEEKING:
            raise UsageError(
                f"--where {self.where} seeks a place for each picture; a universal patch takes another policy"
            )
        if self.universal and not self.canvas:
            raise UsageError("--canvas 0: a universal patch needs a size of its own, such as 64")

    def attacked(self, inputs: Sequence[str], model: str) -> tuple[str, ...]:
        """The inputs that carry the patch.

        Args:
            inputs: of the model.
            model: its name, for messages.

        Raises:
            UsageError: the model has no such input, or the depth mode leaves nothing to seek.
        """
        found = attacked_inputs(self.modality, inputs, model)
        if "depth" in found and self.depth_mode == "none":
            raise UsageError("--depth-mode none leaves depth as it is; use --modality rgb, or another depth mode")
        if found == ("depth",) and self.depth_mode == "surface":
            raise UsageError(
                "--depth-mode surface leaves nothing to seek in depth alone; use card, plane, relief or free"
            )
        return found

    @property
    def placement(self) -> Placement:
        """Where patches go."""
        return Placement(self.where, self.at)

    @property
    def kind(self) -> DepthKind:
        """What depth means."""
        return DepthKind.parse(self.depth_kind)

    def design(self) -> Design:
        """What the patch is to be, as the attacks take it."""
        return {
            "patch_size": self.size, "shape": self.shape, "where": self.where, "at": self.at,
            "depth_mode": self.depth_mode, "depth_kind": self.depth_kind, "patch_goal": self.goal,
            "transforms": self.transforms, "canvas": self.canvas or 0, "smooth": self.smooth,
            "printable": self.printable, "natural": self.natural, "natural_radius": self.natural_radius,
            "crops": self.crops, "generator": self.generator, "naturalness": self.naturalness or 0.0, "gate": self.gate,
        }  # fmt: skip

    def search(self) -> dict[str, Any]:
        """How it is sought, as the attacks take it."""
        own = {"steps": self.steps, "step_size": self.step_size, "draws": self.draws, "seed": self.seed,
               "precision": self.dtype}  # fmt: skip
        return own if self.universal else own | {"restarts": self.restarts, "start": self.start}

    def record(self) -> dict[str, Any]:
        """All that numbers depend on, in TOML's types, under the names of the flags."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in own.items() if value is not None and value is not False}


def _known(flag: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise UsageError(f'{flag} "{name}": expected one of {", ".join(names)}')
