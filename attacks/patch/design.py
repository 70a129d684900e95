"""What a patch is to be, from what a user types; checked once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from torch import Tensor

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.door import check_choice, check_norms, check_numbers
from rgbdsod.attacks.patch.compose import COLOURS, Surface
from rgbdsod.attacks.patch.gate import GATES
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.natural.bank import Bank, open_bank
from rgbdsod.attacks.patch.natural.families import NATURAL, check_generator, family_of
from rgbdsod.attacks.patch.natural.family import Family, Free
from rgbdsod.attacks.patch.natural.generated import PatchGenerator
from rgbdsod.attacks.patch.natural.nature import CROPS, Nature
from rgbdsod.attacks.patch.objectives import GOALS
from rgbdsod.attacks.patch.placement import Placement
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.attacks.patch.scene import Setting
from rgbdsod.attacks.patch.shapes import outline, parse_share, window
from rgbdsod.attacks.patch.stencil import stencil_facts
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class Design(TypedDict, total=False):
    """What a patch is to be; see `rgbdsod.attacks.adversarial_patch` for each."""

    patch_size: float | str
    shape: str
    where: str
    at: str
    depth_mode: str
    depth_kind: str
    patch_goal: str
    transforms: str
    canvas: int
    smooth: float | None
    printable: float | None
    natural: str | PatchGenerator
    natural_radius: float | None
    crops: str
    generator: str | None
    naturalness: float
    gate: str


@dataclass(frozen=True, eq=False)
class Blueprint:
    """A design that can be meant.

    Args:
        design: as given, complete.
        seed: of all draws.

    Raises:
        UsageError: settings that do not exist, or contradict each other.
    """

    design: Design
    seed: int = 0

    def __post_init__(self) -> None:
        design = self.design
        check_choice(TRANSFORMS, transforms=design["transforms"])
        check_choice(("own", *GOALS), patch_goal=design["patch_goal"])
        check_choice(GATES, gate=design["gate"])
        if isinstance(design["natural"], str):
            check_choice(NATURAL, natural=design["natural"])
        if design["natural"] == "none" and design["natural_radius"] is not None:
            raise UsageError("--natural-radius is of a natural patch; pass --set natural=crop, mix, lowpass or vae too")
        check_generator(design["natural"], design["generator"])
        check_numbers(natural_radius=design["natural_radius"])
        check_numbers(zero=True, canvas=float(design["canvas"]), smooth=design["smooth"], printable=design["printable"])
        check_numbers(zero=True, naturalness=design["naturalness"])
        Surface(design["depth_mode"], DepthKind.parse(design["depth_kind"]))
        Placement(design["where"], design["at"])

    @property
    def placement(self) -> Placement:
        """Where the patch goes."""
        return Placement(self.design["where"], self.design["at"])

    def setting(
        self, image: Size, changed: tuple[str, ...], family: Family | None = None, nature: Nature | None = None
    ) -> Setting:
        """The design for pictures of one size.

        Args:
            image: (H, W).
            changed: the inputs that carry the patch.
            family: what it may show; None: anything.
            nature: what being unlike photographs costs; None: nothing.

        Raises:
            UsageError: the patch is larger than the picture, or smaller than a pixel.
        """
        design, preset = self.design, TRANSFORMS[self.design["transforms"]]
        span = window(design["patch_size"], design["shape"], image)
        height = design["canvas"] or span[0]
        width = max(1, round(height * span[1] / span[0]))
        kind, smooth, printable = DepthKind.parse(design["depth_kind"]), design["smooth"], design["printable"]
        return Setting(
            outline(design["shape"], height, width),
            span,
            Surface(design["depth_mode"] if "depth" in changed else "none", kind),
            preset,
            design["patch_goal"],
            preset.smooth if smooth is None else smooth,
            preset.printable if printable is None else printable,
            self.seed,
            parse_share(design["patch_size"]),
            family or Free(),
            design["gate"],
            nature,
            design["where"] == "learned",
        )

    @property
    def photographs(self) -> bool:
        """Whether what it may show is made of photographs."""
        return self.design["natural"] in ("crop", "mix")

    def nature(self, canvas: Size, attacked: Iterable[Tensor]) -> Nature | None:
        """What being unlike the design's photographs costs.

        Args:
            canvas: (h, w) of the patch.
            attacked: the pictures that are attacked; none of them is among the photographs.
        """
        weight = self.design["naturalness"]
        if not weight:
            return None
        return Nature.of(open_bank(self.design["crops"], canvas, attacked, count=CROPS, seed=self.seed), weight)

    def bank(self, canvas: Size, attacked: Iterable[Tensor]) -> Bank:
        """Crops of the design's photographs.

        Args:
            canvas: (h, w) of the patch.
            attacked: the pictures that are attacked, batch by batch; none of them is among the photographs.
        """
        return open_bank(self.design["crops"], canvas, attacked, seed=self.seed)

    def family(self, bank: Bank | None) -> Family:
        """What the patch may show.

        Args:
            bank: of crops, where it is made of photographs.
        """
        return family_of(self.design["natural"], self.design["natural_radius"], bank, self.design["generator"])

    def changed(self, inputs: Inputs, threat: Threat) -> tuple[str, ...]:
        """The inputs that carry the patch.

        Raises:
            UsageError: one that cannot; another norm; a depth mode that leaves nothing to seek.
        """
        check_norms("patch", threat, ("linf",))
        changed = tuple(name for name in inputs if name in threat and _free(threat[name]))
        for name in changed:
            if name not in (*COLOURS, "depth"):
                raise UsageError(f"a patch is made of rgb, image or depth, not of {name}; leave it out of the threat")
            channels, shape = 1 if name == "depth" else 3, tuple(inputs[name].shape)
            if len(shape) != 4 or shape[1] != channels:
                raise UsageError(f'input "{name}" has shape {shape}; patches need (B,{channels},H,W)')
        natural, mode = self.design["natural"], self.design["depth_mode"]
        if changed == ("depth",) and natural != "none":
            raise UsageError(f"--set natural={_named(natural)} is about colours; use --modality rgb or both")
        if "depth" in changed and mode == "none":
            raise UsageError("--depth-mode none leaves depth as it is; use --modality rgb, or another depth mode")
        if changed == ("depth",) and mode == "surface":
            raise UsageError(
                "--depth-mode surface leaves nothing to seek in depth alone; use card, plane, relief or free"
            )
        return changed

    def facts(self) -> dict[str, object]:
        """What is written into a patch."""
        natural = _named(self.design["natural"])
        own = {**self.design, "natural": natural, **stencil_facts(self.design["shape"])}
        return {"attack": "patch", **own, "seed": self.seed}


def image_size(inputs: Inputs) -> Size:
    """(H, W) of all inputs.

    Raises:
        UsageError: they differ.
    """
    sizes = {tuple(value.shape[-2:]) for value in inputs.values()}
    if len(sizes) > 1:
        raise UsageError(f"inputs of sizes {', '.join(f'{h}x{w}' for h, w in sorted(sizes))}; patches need one size")
    height, width = sizes.pop()
    return height, width


def colour_of(inputs: Inputs, changed: tuple[str, ...]) -> list[Tensor]:
    """The pictures that carry a patch's colours, none where only depth does."""
    return [inputs[name] for name in changed if name in COLOURS]


def _named(natural: str | PatchGenerator) -> str:
    """A family by its name."""
    return natural if isinstance(natural, str) else natural.name


def _free(budget: Budget) -> bool:
    """Whether anything may change."""
    return bool(budget.eps.any()) if isinstance(budget.eps, Tensor) else not budget.empty
